// The folded pass's layers for CPUs: 3 x 3 convolutions by Winograd's F(4 x 4, 3 x 3) (Lavin and Gray 2016), with the
// norm and activation of what they read fused into their input, and the statistics for the next norm into their output.
//
// Features are (row, column, channel) in memory, with a multiple of 8 channels; rows and columns are multiples of 4.
// They are "raw": a convolution's output, to which scale, shift and PReLU slope of each channel are still to be applied.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "workers.h"

#ifdef _WIN32
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace {

constexpr int kLane = 8, kTile = 4, kWindow = 6, kPoints = kWindow * kWindow;
// Tiles that are transformed together: their 36 matrices stay in a core's cache.
constexpr int kBlock = 24;

typedef float Vec __attribute__((vector_size(32)));
typedef float UnalignedVec __attribute__((vector_size(32), aligned(4)));

inline Vec load(const float* from) { return *reinterpret_cast<const UnalignedVec*>(from); }
inline void store(float* to, Vec value) { *reinterpret_cast<UnalignedVec*>(to) = value; }

inline float sum(Vec v) { return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7])); }

// Within 2e-7: 2 to the power of x / log(2), whole part by way of the exponent's bits, the rest by its series.
inline Vec sigmoid(Vec x) {
    typedef int IntVec __attribute__((vector_size(32)));
    const Vec limit = Vec{} + 80.f;
    Vec power = -x;
    power = power > limit ? limit : power < -limit ? -limit : power;
    const Vec scaled = power * 1.44269504f + 12582912.f;  // adding 1.5 * 2^23 rounds to integers
    const Vec whole = scaled - 12582912.f;
    const Vec rest = (power - whole * 0.693145752f) - whole * 1.42860677e-6f;
    Vec series = rest * (1.f / 720) + 1.f / 120;
    series = series * rest + 1.f / 24;
    series = series * rest + 1.f / 6;
    series = series * rest + .5f;
    series = (series * rest + 1.f) * rest + 1.f;
    const IntVec bits = (__builtin_convertvector(whole, IntVec) + 127) << 23;
    Vec factor;
    std::memcpy(&factor, &bits, sizeof(factor));
    return 1.f / (1.f + series * factor);
}

struct Source {
    const float *raw, *scale, *shift, *slopes;
    long channels;

    inline Vec at(size_t pixel, int channel) const {
        Vec z = load(raw + pixel * channels + channel) * load(scale + channel) + load(shift + channel);
        Vec below = z < 0.f ? z : Vec{};
        return z + below * (load(slopes + channel) - 1.f);
    }
};

inline void transform_input(const Vec* d, Vec* o) {
    Vec a = d[4] - 4.f * d[2], b = d[3] - 4.f * d[1], c = d[4] - d[2], e = 2.f * (d[3] - d[1]);
    o[0] = 4.f * d[0] - 5.f * d[2] + d[4];
    o[1] = a + b;
    o[2] = a - b;
    o[3] = c + e;
    o[4] = c - e;
    o[5] = 4.f * d[1] - 5.f * d[3] + d[5];
}

inline void transform_output(const Vec* m, Vec* o) {
    Vec a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    o[0] = m[0] + a + c;
    o[1] = b + 2.f * d;
    o[2] = a + 4.f * c;
    o[3] = b + 8.f * d + m[5];
}

inline void transform_filter(const Vec* w, Vec* o) {
    const Vec ends = w[0] + w[2], wide = w[0] + 4.f * w[2];
    o[0] = w[0] * (1.f / 4);
    o[1] = (ends + w[1]) * (-1.f / 6);
    o[2] = (ends - w[1]) * (-1.f / 6);
    o[3] = (wide + 2.f * w[1]) * (1.f / 24);
    o[4] = (wide - 2.f * w[1]) * (1.f / 24);
    o[5] = w[2];
}

// Rows of tiles times a panel of outputs, accumulated in registers.
template <int kRows, int kVecs>
inline void multiply(const float* __restrict u, const float* __restrict g, float* __restrict v, int inputs, int outputs) {
    Vec sums[kRows][kVecs] = {};
    for (int k = 0; k < inputs; k++) {
        Vec filters[kVecs];
        for (int j = 0; j < kVecs; j++) filters[j] = load(g + static_cast<size_t>(k) * outputs + kLane * j);
        for (int i = 0; i < kRows; i++) {
            float value = u[static_cast<size_t>(i) * inputs + k];
            for (int j = 0; j < kVecs; j++) sums[i][j] += value * filters[j];
        }
    }
    for (int i = 0; i < kRows; i++)
        for (int j = 0; j < kVecs; j++) store(v + static_cast<size_t>(i) * outputs + kLane * j, sums[i][j]);
}

template <int kVecs>
void multiply_panel(const float* u, const float* g, float* v, int tiles, int inputs, int outputs) {
    int t = 0;
    auto at = [&](int tile) { return v + static_cast<size_t>(tile) * outputs; };
    for (; t + 4 <= tiles; t += 4) multiply<4, kVecs>(u + static_cast<size_t>(t) * inputs, g, at(t), inputs, outputs);
    u += static_cast<size_t>(t) * inputs;
    if (tiles - t == 3) multiply<3, kVecs>(u, g, at(t), inputs, outputs);
    if (tiles - t == 2) multiply<2, kVecs>(u, g, at(t), inputs, outputs);
    if (tiles - t == 1) multiply<1, kVecs>(u, g, at(t), inputs, outputs);
}

// Mean and sum of squared deviations of one channel over one row of tiles, around a value of its own.
struct Partial {
    double mean, squares;
};

struct Scratch {
    std::unique_ptr<float[]> u, v;
};

struct Filters {
    int inputs, outputs;
    std::unique_ptr<float[]> transformed;  // (point, input, output)
};

struct Engine {
    Workers workers;
    std::vector<Scratch> scratch;
    std::vector<Partial> partials;

    Engine(int threads, int most_channels) : workers(threads), scratch(threads) {
        for (auto& own : scratch) {
            own.u.reset(new float[static_cast<size_t>(kPoints) * kBlock * most_channels]);
            own.v.reset(new float[static_cast<size_t>(kPoints) * kBlock * most_channels]);
        }
    }
};

// From all items' partials to the scale and shift that the next reader applies.
void finish_norm(const Partial* partials, int items, double item_size, int channels, int depth, const float* gamma,
                 const float* beta, float epsilon, float* scale, float* shift) {
    for (int first = 0; first < channels; first += depth) {
        double mean = 0, squares = 0;
        int count = items * depth;
        for (int d = 0; d < depth; d++)
            for (int i = 0; i < items; i++) mean += partials[static_cast<size_t>(i) * channels + first + d].mean / count;
        for (int d = 0; d < depth; d++)
            for (int i = 0; i < items; i++) {
                const Partial& own = partials[static_cast<size_t>(i) * channels + first + d];
                squares += own.squares + item_size * (own.mean - mean) * (own.mean - mean);
            }
        double reciprocal = 1 / std::sqrt(squares / (item_size * count) + epsilon);
        for (int c = first; c < first + depth; c++) {
            scale[c] = static_cast<float>(gamma[c] * reciprocal);
            shift[c] = static_cast<float>(beta[c] - mean * gamma[c] * reciprocal);
        }
    }
}

void transform_sources(const Source* sources, int count, int rows, int columns, int tile_row, int first_tile, int tiles,
                       int inputs, float* u) {
    int offset = 0;
    for (int s = 0; s < count; s++) {
        const Source source = sources[s];
        for (int c = 0; c < source.channels; c += kLane) {
            Vec window[kWindow][kWindow];  // (column, row), rows transformed
            auto read = [&](int x, Vec* to) {
                Vec d[kWindow];
                for (int r = 0; r < kWindow; r++) {
                    int y = kTile * tile_row - 1 + r;
                    bool outside = y < 0 || y >= rows || x < 0 || x >= columns;
                    d[r] = outside ? Vec{} : source.at(static_cast<size_t>(y) * columns + x, c);
                }
                transform_input(d, to);
            };
            read(kTile * first_tile - 1, window[0]);
            read(kTile * first_tile, window[1]);
            for (int t = 0; t < tiles; t++) {
                for (int q = 2; q < kWindow; q++) read(kTile * (first_tile + t) - 1 + q, window[q]);
                for (int r = 0; r < kWindow; r++) {
                    Vec d[kWindow], o[kWindow];
                    for (int q = 0; q < kWindow; q++) d[q] = window[q][r];
                    transform_input(d, o);
                    for (int q = 0; q < kWindow; q++)
                        store(u + (static_cast<size_t>(r * kWindow + q) * kBlock + t) * inputs + offset + c, o[q]);
                    window[0][r] = d[4];
                    window[1][r] = d[5];
                }
            }
        }
        offset += static_cast<int>(source.channels);
    }
}

void multiply_points(const Filters& filters, const float* u, float* v, int tiles, int from, int to) {
    for (int f = 0; f < kPoints; f++) {
        const float* left = u + static_cast<size_t>(f) * kBlock * filters.inputs;
        const float* right = filters.transformed.get() + static_cast<size_t>(f) * filters.inputs * filters.outputs;
        float* result = v + static_cast<size_t>(f) * kBlock * filters.outputs;
        int o = from;
        for (; o + 24 <= to; o += 24)
            multiply_panel<3>(left, right + o, result + o, tiles, filters.inputs, filters.outputs);
        for (; o + 16 <= to; o += 16)
            multiply_panel<2>(left, right + o, result + o, tiles, filters.inputs, filters.outputs);
        for (; o < to; o += 8)
            multiply_panel<1>(left, right + o, result + o, tiles, filters.inputs, filters.outputs);
    }
}

}  // namespace

EXPORT void* engine_create(int threads, int most_channels) { return new Engine(threads, most_channels); }
EXPORT void engine_destroy(void* engine) { delete static_cast<Engine*>(engine); }

// From filters (input, 3, 3, output), contiguous.
EXPORT void* filters_create(void* engine_, int outputs, int inputs, const float* weights) {
    auto* filters = new Filters{inputs, outputs, std::unique_ptr<float[]>(new float[size_t(kPoints) * inputs * outputs])};
    static_cast<Engine*>(engine_)->workers.run(inputs, [&](int input, int) {
        for (int o = 0; o < outputs; o += kLane) {
            auto at = [&](int tap) { return load(weights + (static_cast<size_t>(input) * 9 + tap) * outputs + o); };
            Vec half[3][kWindow];  // (column, row)
            for (int j = 0; j < 3; j++) {
                const Vec w[3] = {at(j), at(3 + j), at(6 + j)};
                transform_filter(w, half[j]);
            }
            for (int i = 0; i < kWindow; i++) {
                const Vec w[3] = {half[0][i], half[1][i], half[2][i]};
                Vec values[kWindow];
                transform_filter(w, values);
                for (int j = 0; j < kWindow; j++) {
                    const size_t point = static_cast<size_t>(i) * kWindow + j;
                    store(filters->transformed.get() + (point * inputs + input) * outputs + o, values[j]);
                }
            }
        }
    });
    return filters;
}
EXPORT void filters_destroy(void* filters) { delete static_cast<Filters*>(filters); }

// A convolution of the sources, one beside the other, to `output`; `bias` may be null. With `gamma`, also the scale and
// shift of the instance norm of what it wrote, of groups of `depth` channels.
EXPORT void convolve(void* engine_, void* filters_, const Source* sources, int count, int rows, int columns,
                     const float* bias, float* output, int depth, const float* gamma, const float* beta, float epsilon,
                     float* scale, float* shift) {
    Engine& engine = *static_cast<Engine*>(engine_);
    const Filters& filters = *static_cast<Filters*>(filters_);
    const int tile_rows = rows / kTile, all_tiles = columns / kTile, outputs = filters.outputs;
    // Few rows of tiles would leave threads without work: then each row's outputs are shared out, too.
    const int vecs = outputs / kLane, shares = std::min(vecs, tile_rows < 4 * engine.workers.count() ? 2 : 1);
    engine.partials.resize(static_cast<size_t>(tile_rows) * outputs);
    engine.workers.run(tile_rows * shares, [&](int item, int thread) {
        const int tile_row = item / shares, share = item % shares;
        const int from = vecs * share / shares * kLane, to = vecs * (share + 1) / shares * kLane;
        float *u = engine.scratch[thread].u.get(), *v = engine.scratch[thread].v.get();
        Vec around[16], sums[16] = {}, squares[16] = {};
        for (int first = 0; first < all_tiles; first += kBlock) {
            const int tiles = std::min(kBlock, all_tiles - first);
            transform_sources(sources, count, rows, columns, tile_row, first, tiles, filters.inputs, u);
            multiply_points(filters, u, v, tiles, from, to);
            for (int t = 0; t < tiles; t++)
                for (int o = from; o < to; o += kLane) {
                    const int index = (o - from) / kLane;
                    const Vec added = bias ? load(bias + o) : Vec{};
                    Vec half[kTile][kWindow];
                    for (int q = 0; q < kWindow; q++) {
                        Vec m[kWindow], r[kTile];
                        for (int k = 0; k < kWindow; k++)
                            m[k] = load(v + (static_cast<size_t>(k * kWindow + q) * kBlock + t) * outputs + o);
                        transform_output(m, r);
                        for (int k = 0; k < kTile; k++) half[k][q] = r[k];
                    }
                    for (int k = 0; k < kTile; k++) {
                        Vec r[kTile];
                        transform_output(half[k], r);
                        size_t pixel = static_cast<size_t>(kTile * tile_row + k) * columns + kTile * (first + t);
                        for (int q = 0; q < kTile; q++) {
                            Vec value = r[q] + added;
                            store(output + (pixel + q) * outputs + o, value);
                            if (first == 0 && t == 0 && k == 0 && q == 0) around[index] = value;
                            Vec apart = value - around[index];
                            sums[index] += apart;
                            squares[index] += apart * apart;
                        }
                    }
                }
        }
        const double size = static_cast<double>(kTile) * columns;
        for (int o = from; o < to; o++) {
            const int index = (o - from) / kLane, lane = o % kLane;
            const double sum = sums[index][lane];
            engine.partials[static_cast<size_t>(tile_row) * outputs + o] = {around[index][lane] + sum / size,
                                                                            squares[index][lane] - sum * sum / size};
        }
    });
    if (gamma)
        finish_norm(engine.partials.data(), tile_rows, kTile * double(columns), outputs, depth, gamma, beta, epsilon,
                    scale, shift);
}

// What an encoder's first convolution reads, (rows, columns, 8): the map, (rows, columns), the slab's slices of MRI,
// (rows, columns, slices), and zeros.
EXPORT void first_features(void* engine_, const float* map, const float* mri, int rows, int columns, int slices,
                           float* output) {
    static_cast<Engine*>(engine_)->workers.run(rows, [&](int row, int) {
        for (size_t pixel = static_cast<size_t>(row) * columns; pixel < static_cast<size_t>(row + 1) * columns; pixel++) {
            Vec values = {map[pixel]};
            for (int d = 0; d < slices; d++) values[1 + d] = mri[pixel * slices + d];
            store(output + pixel * kLane, values);
        }
    });
}

// Activated features' maxima over 2 x 2 pixels and over `depth` adjacent channels: (rows / 2, columns / 2, channels / depth).
EXPORT void pool(void* engine_, const Source* source, int rows, int columns, int depth, float* output) {
    const int channels = static_cast<int>(source->channels), kept = channels / depth;
    static_cast<Engine*>(engine_)->workers.run(rows / 2, [&](int row, int) {
        for (int x = 0; x < columns / 2; x++) {
            const size_t pixel = static_cast<size_t>(2 * row) * columns + 2 * x;
            float* to = output + (static_cast<size_t>(row) * (columns / 2) + x) * kept;
            float maxima[128];
            for (int c = 0; c < channels; c += kLane) {
                Vec a = source->at(pixel, c), b = source->at(pixel + 1, c);
                Vec d = source->at(pixel + columns, c), e = source->at(pixel + columns + 1, c);
                a = a > b ? a : b;
                d = d > e ? d : e;
                store(maxima + c, a > d ? a : d);
            }
            for (int c = 0; c < kept; c++) to[c] = *std::max_element(maxima + c * depth, maxima + (c + 1) * depth);
        }
    });
}

// Activated features, one source beside the other, upsampled twice, linearly, corners aligned.
EXPORT void upsample(void* engine_, const Source* sources, int count, int rows, int columns, float* activated,
                     float* output) {
    auto& workers = static_cast<Engine*>(engine_)->workers;
    int channels = 0;
    for (int s = 0; s < count; s++) channels += static_cast<int>(sources[s].channels);
    workers.run(rows, [&](int row, int) {
        for (int x = 0; x < columns; x++) {
            const size_t pixel = static_cast<size_t>(row) * columns + x;
            int offset = 0;
            for (int s = 0; s < count; offset += static_cast<int>(sources[s++].channels))
                for (int c = 0; c < sources[s].channels; c += kLane)
                    store(activated + pixel * channels + offset + c, sources[s].at(pixel, c));
        }
    });
    const float row_step = float(rows - 1) / float(2 * rows - 1), column_step = float(columns - 1) / float(2 * columns - 1);
    workers.run(2 * rows, [&](int row, int) {
        const float y = row * row_step;
        const int y0 = std::min(static_cast<int>(y), rows - 1), y1 = std::min(y0 + 1, rows - 1);
        const float below = y - y0;
        for (int x = 0; x < 2 * columns; x++) {
            const float at = x * column_step;
            const int x0 = std::min(static_cast<int>(at), columns - 1), x1 = std::min(x0 + 1, columns - 1);
            const float right = at - x0;
            const float* corner[4] = {activated + (size_t(y0) * columns + x0) * channels,
                                      activated + (size_t(y0) * columns + x1) * channels,
                                      activated + (size_t(y1) * columns + x0) * channels,
                                      activated + (size_t(y1) * columns + x1) * channels};
            float* to = output + (static_cast<size_t>(row) * 2 * columns + x) * channels;
            for (int c = 0; c < channels; c += kLane)
                store(to + c, (1 - below) * ((1 - right) * load(corner[0] + c) + right * load(corner[1] + c)) +
                                  below * ((1 - right) * load(corner[2] + c) + right * load(corner[3] + c)));
        }
    });
}

// The head: each slice's channels weighted, sigmoid, mean over 3 x 3 pixels and 3 slices: (rows / 3, columns / 3).
EXPORT void head(void* engine_, const Source* source, int rows, int columns, const float* weights, float bias,
                 float* output) {
    constexpr int kDepth = 3, kValues = kDepth * kDepth * kDepth, kPadded = (kValues + kLane - 1) / kLane * kLane;
    const int channels = static_cast<int>(source->channels);
    // Slices lie side by side: each slice's weights, and zeros in the places of the others.
    std::vector<float> own(static_cast<size_t>(kDepth) * channels);
    for (int c = 0; c < channels; c++) own[static_cast<size_t>(c % kDepth) * channels + c] = weights[c];
    static_cast<Engine*>(engine_)->workers.run(rows / kDepth, [&](int row, int) {
        for (int x = 0; x < columns / kDepth; x++) {
            float values[kPadded];
            std::fill(values + kValues, values + kPadded, -1e9f);
            for (int k = 0; k < kDepth * kDepth; k++) {
                const size_t pixel = static_cast<size_t>(kDepth * row + k / kDepth) * columns + kDepth * x + k % kDepth;
                Vec sums[kDepth] = {};
                for (int c = 0; c < channels; c += kLane) {
                    const Vec activated = source->at(pixel, c);
                    for (int d = 0; d < kDepth; d++)
                        sums[d] += activated * load(own.data() + static_cast<size_t>(d) * channels + c);
                }
                for (int d = 0; d < kDepth; d++) values[kDepth * k + d] = bias + sum(sums[d]);
            }
            Vec total = {};
            for (int k = 0; k < kPadded; k += kLane) total += sigmoid(load(values + k));
            output[static_cast<size_t>(row) * (columns / kDepth) + x] = sum(total) / kValues;
        }
    });
}
