"""What the scheduler calls for."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from callerid.service import Service


class UnknownTaskError(Exception):
    """A schedule that asks for something that is no task."""


def run(service: Service, task: str, budget_seconds: float, log: Logger, metrics: Metrics) -> dict[str, Any]:
    """Do a task, and say what came of it. Whatever goes wrong is raised: the alarm on errors hears it.

    Raises:
        UnknownTaskError: for anything but ``deliver`` and ``summary``.
    """
    tasks = {"deliver": _deliver, "summary": _summary}
    if task not in tasks:
        raise UnknownTaskError(f"{task!r}: expected {' or '.join(tasks)}")
    try:
        return tasks[task](service, budget_seconds, log, metrics)
    except Exception:
        metrics.add_metric("TaskFailures", MetricUnit.Count, 1)
        raise


def _summary(service: Service, budget_seconds: float, log: Logger, metrics: Metrics) -> dict[str, Any]:  # noqa: ARG001
    answer = {"task": "summary", "week": service.summary()}
    log.info("task", **answer)
    return answer


def _deliver(service: Service, budget_seconds: float, log: Logger, metrics: Metrics) -> dict[str, Any]:
    try:
        done = service.deliver(budget_seconds=budget_seconds)
    finally:
        trouble = service.watch()  # also where Slack or its secret is what is broken
    metrics.add_metric("PendingAlerts", MetricUnit.Count, done.waiting)
    metrics.add_metric("OldestPendingSeconds", MetricUnit.Seconds, done.oldest_seconds)
    metrics.add_metric("Delivered", MetricUnit.Count, done.posted)
    metrics.add_metric("PolicyInvalid", MetricUnit.Count, int(service.policy_trouble is not None))
    if trouble:
        log.warning("trouble", trouble=trouble)
    answer = {"task": "deliver", **done._asdict()}
    log.info("task", **answer)
    return answer
