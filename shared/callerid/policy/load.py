"""YAML text into a policy: strict, with every fault named by file, line and column."""

from __future__ import annotations

import yaml

from callerid.policy import check
from callerid.policy.fault import Fault, PolicyError
from callerid.policy.model import Document
from callerid.policy.shape import Shape

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: bytes, name: str) -> Document:
    """Return the policy that YAML text holds; ``name`` is what errors call it.

    Raises:
        PolicyError: with every fault, where the text is no policy.
    """
    return placed(text, name)[0]


def placed(text: bytes, name: str) -> tuple[Document, Shape]:
    """Return the policy and where each part of it stands, for those who have more to say about it.

    Raises:
        PolicyError: with every fault, where the text is no policy.
    """
    node = _compose(text, name)
    shape = Shape()
    document = shape.struct(Document, node, "the policy")
    if document is not None:
        check.document(document, shape)
    if shape.faults or document is None:
        raise PolicyError(name, shape.faults)
    return document, shape


_DEPTH = 30
"""A policy needs ten; the parser that follows overruns its stack where the nesting has no end."""


def _depth(text: str) -> int:
    depth = deepest = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            deepest = max(deepest, depth)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return deepest


def _compose(text: bytes, name: str) -> yaml.Node:
    try:
        decoded = text.decode()
        deepest = _depth(decoded)
        if deepest > _DEPTH:
            raise PolicyError(name, [Fault(1, 1, f"nested {deepest:,} deep; a policy needs no more than {_DEPTH}")])
        node = yaml.compose(decoded, Loader=_Loader)
    except UnicodeDecodeError as error:
        raise PolicyError(name, [Fault(1, 1, "expected UTF-8 text")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise PolicyError(name, [Fault(*place, f"not YAML: {error.problem}")]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise PolicyError(name, [Fault(1, 1, "not YAML, or nested beyond what can be read")]) from error
    if node is None:
        raise PolicyError(name, [Fault(1, 1, "the policy is empty; expected version and callers")])
    return node
