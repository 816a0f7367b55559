// Threads that wait for work: spinning for a moment, since the next layer comes within microseconds, then asleep.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

class Workers {
public:
    explicit Workers(int threads) {
        for (int index = 1; index < threads; index++) others_.emplace_back([this, index] { serve(index); });
    }

    ~Workers() {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            stop_ = true;
            generation_++;
        }
        wake_.notify_all();
        for (auto& other : others_) other.join();
    }

    int count() const { return 1 + static_cast<int>(others_.size()); }

    // Calls work(item, thread) for each item, on all threads; returns when all are done.
    void run(int items, const std::function<void(int, int)>& work) {
        work_ = &work;
        items_ = items;
        next_ = 0;
        busy_ = static_cast<int>(others_.size());
        {
            std::lock_guard<std::mutex> lock(mutex_);
            generation_++;
        }
        wake_.notify_all();
        take(0);
        while (busy_.load() != 0) std::this_thread::yield();
    }

private:
    // Longer than what Python needs between two layers, too short to be noticed after a pass.
    static constexpr std::chrono::microseconds kSpinTime{300};

    bool spin(long seen) const {
        const auto end = std::chrono::steady_clock::now() + kSpinTime;
        do {
            for (int check = 0; check < 256; check++)
                if (generation_.load(std::memory_order_acquire) != seen) return true;
        } while (std::chrono::steady_clock::now() < end);
        return false;
    }

    void take(int thread) {
        for (int item; (item = next_++) < items_;) (*work_)(item, thread);
    }

    void serve(int thread) {
        long seen = 0;
        while (true) {
            if (!spin(seen)) {
                std::unique_lock<std::mutex> lock(mutex_);
                wake_.wait(lock, [&] { return generation_.load() != seen; });
            }
            seen = generation_.load();
            if (stop_) return;
            take(thread);
            busy_--;
        }
    }

    std::vector<std::thread> others_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<long> generation_{0};
    std::atomic<bool> stop_{false};
    std::atomic<int> next_{0}, busy_{0};
    int items_ = 0;
    const std::function<void(int, int)>* work_ = nullptr;
};
