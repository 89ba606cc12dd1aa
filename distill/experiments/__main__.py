"""``python -m distill.experiments``: measure what the design rests on; the answers stand in ``RESULTS.md``."""

from __future__ import annotations

import sys

import tyro
from pocketiqa.exit_status import run_command

from distill.experiments.ablation import AblationConfig, measure_ablation
from distill.experiments.further_labels import FurtherLabelsConfig, measure_further_labels
from distill.experiments.input_sizes import InputSizesConfig, measure_input_sizes
from distill.experiments.kernel_widths import KernelWidthsConfig, measure_kernel_widths
from distill.experiments.label_free_trunk import LabelFreeTrunkConfig, measure_label_free_trunk
from distill.experiments.leave_one_out import LeaveOneOutConfig, leave_one_source_out
from distill.experiments.teacher_ladders import TeacherLaddersConfig, measure_teacher_ladders
from distill.experiments.teacher_parts import TeacherPartsConfig, measure_teacher_parts
from distill.experiments.trained_trunks import TrainedTrunksConfig, measure_trained_trunks
from distill.experiments.tuned_tower import TunedTowerConfig, measure_tuned_tower

_COMMANDS = {
    "ablation": (AblationConfig, measure_ablation),
    "further-labels": (FurtherLabelsConfig, measure_further_labels),
    "input-sizes": (InputSizesConfig, measure_input_sizes),
    "kernel-widths": (KernelWidthsConfig, measure_kernel_widths),
    "label-free-trunk": (LabelFreeTrunkConfig, measure_label_free_trunk),
    "leave-one-out": (LeaveOneOutConfig, leave_one_source_out),
    "teacher-ladders": (TeacherLaddersConfig, measure_teacher_ladders),
    "teacher-parts": (TeacherPartsConfig, measure_teacher_parts),
    "trained-trunks": (TrainedTrunksConfig, measure_trained_trunks),
    "tuned-tower": (TunedTowerConfig, measure_tuned_tower),
}


def main() -> int:
    return run_command(
        "distill.experiments", _run, interrupted="stopped; the same command goes on from what was last saved"
    )


def _run() -> None:
    configs = {name: config for name, (config, _) in _COMMANDS.items()}
    config = tyro.extras.subcommand_cli_from_dict(configs, prog="python -m distill.experiments", description=__doc__)
    table = next(measure for kind, measure in _COMMANDS.values() if isinstance(config, kind))(config)
    if config.csv is not None:
        table.write_csv(config.csv)
    print(table)


if __name__ == "__main__":
    sys.exit(main())
