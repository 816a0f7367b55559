"""How fast everything is on this machine: what `mrsi-superres benchmark` measures.

The file that `--output` names is JSON. Times are in milliseconds, and *times* are `median_ms`, `p5_ms`, `p95_ms` and
`samples_ms`, all that were taken. `*` stands for names or numbers that depend on what was measured, `[]` for each
entry of a list. A part that was not asked for is missing.

- `settings.*`: what the command was asked for.
- `machine.*`: hardware and versions; what is not known is null.
- `machine.floor_ms`: the published network's arithmetic for one slice at the rate of large matrix products.
- `machine.rates.*.per_s`: of "matrix products", operations a second; of "copying", bytes read and written a second.
- `machine.rates.*.times`: times of one product or copy.
- `left_out.*`: why a runtime, precision or part was not measured.
- `forward[].name`: the plain network, or the runtime and precision.
- `forward[].times.*`: times of a "new slice", "new lambda" and "new metabolite".
- `forward[].times_faster.*`: the plain network's median over this one's.
- `forward[].times_floor.*`: this median over the floor.
- `forward[].difference`: largest difference to the plain network's output as a share of its range; null if the output
  is not finite.
- `forward[].tolerance`: what the difference may be.
- `forward[].unavailable`: why there are no times, or null.
- `latency[].runtime`, `latency[].precision`, `latency[].patient`: what computed which patient's slice.
- `latency[].times.*`: times of `SuperResolver.super_resolve` for one slice, with "another lambda", "a new metabolite"
  that was not shown before, and "a metabolite again".
- `latency[].unavailable`: as above.
- `volume[].slices`, `volume[].runtime`, `volume[].precision`: what was super-resolved.
- `volume[].prepare`: times of `SuperResolver.prepare` for a patient's first map.
- `volume[].prepare_next_map`: times of the same for another map of the same patient.
- `volume[].first`: times of `super_resolve`, each with a new metabolite.
- `volume[].other_lambda`: times of `super_resolve` with another lambda.
- `volume[].peak_gib`: the most memory that the process held; null where the system does not say.
- `volume[].gpu_peak_gib`: the most of the GPU's memory that tensors took; null without CUDA.
- `volume[].unavailable`: as above.
- `growth.*.times.*`: times by slices of a volume, by batch, and by N.
- `growth.*.exponent`: of the power law that fits the medians best.
- `training.batch`: slices of a step.
- `training.times.*`: times of a step.
- `training.times_faster.*`: the plain network's median over this one's, of steps that do the same.
- `training.times_floor.*`: the median over three times the batch's floor, of steps without the discriminator. A "whole
  step" makes its batch, too, and is recorded as a CUDA graph on a GPU.
- `goals[].what`, `goals[].measured`, `goals[].asked`, `goals[].unit`, `goals[].met`: what the project asks of itself.
"""
