"""``python -m distill``: train a teacher and a student, and measure what their design rests on."""

from __future__ import annotations

import json
import sys

import tyro
from pocketiqa.errors import one_line

from distill.data.consistency import ConsistencyConfig, measure_consistency
from distill.experiments.ablation import AblationConfig, measure_ablation
from distill.experiments.fine_tune import FineTuneConfig, measure_fine_tuning
from distill.experiments.input_policy import InputPolicyConfig, measure_input_policies
from distill.experiments.leave_one_out import LeaveOneOutConfig, leave_one_source_out
from distill.experiments.trained_trunks import TrainedTrunksConfig, measure_trained_trunks
from distill.stages.train_student import StudentConfig, train_student
from distill.stages.train_teacher import TeacherRunConfig, train_teacher
from distill.training.run_folder import TrainingStopped

_COMMANDS = {
    "teacher": (TeacherRunConfig, lambda config: json.dumps(train_teacher(config), indent=2)),
    "student": (StudentConfig, lambda config: json.dumps(train_student(config)["validation"], indent=2)),
    "ablation": (AblationConfig, measure_ablation),
    "leave-one-out": (LeaveOneOutConfig, leave_one_source_out),
    "trained-trunks": (TrainedTrunksConfig, measure_trained_trunks),
    "fine-tune": (FineTuneConfig, measure_fine_tuning),
    "consistency": (ConsistencyConfig, measure_consistency),
    "input-policy": (InputPolicyConfig, measure_input_policies),
}


def main() -> int:
    configs = {name: config for name, (config, _) in _COMMANDS.items()}
    config = tyro.extras.subcommand_cli_from_dict(configs, prog="python -m distill", description=__doc__)
    run = next(run for kind, run in _COMMANDS.values() if isinstance(config, kind))
    try:
        print(run(config))
    except TrainingStopped as error:
        return _complain(str(error), 1)
    except (ValueError, FileNotFoundError) as error:  # data, teacher, run or student: each message says what to do
        return _complain(str(error), 2)
    except OSError as error:  # the disk is full, say
        return _complain(f"{error.filename or 'a file'}: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        return _complain("stopped; the same command goes on from what was last saved", 130)
    return 0


def _complain(message: str, status: int) -> int:
    print(f"distill: {one_line(message)}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
