"""Sixteen numbers at once: a type for compiled kernels that the processor's vector registers hold.

Numba's own loops are made into vector instructions only where it is plain that no write is read again, which loops that
read at places from a table never are. Arithmetic and comparisons are written as for numbers; a number beside lanes
stands for as many of it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

COUNT = 16
_WORD, _WORD32, _BIT = ir.IntType(64), ir.IntType(32), ir.IntType(1)


class Lanes(types.Type):
    """Sixteen elements of one type, a Numba type."""

    def __init__(self, element: Any) -> None:
        self.element = element
        super().__init__(name=f"lanes({element})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        element = _BIT if fe_type.element == types.boolean else dmm.lookup(fe_type.element).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(element, COUNT))


def splat(builder: Any, value: Any) -> Any:
    """LLVM code for lanes that all are one number."""
    vector = ir.VectorType(value.type, COUNT)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _WORD32(0))
    mask = ir.Constant(ir.VectorType(_WORD32, COUNT), [0] * COUNT)
    return builder.shuffle_vector(first, first, mask)


def _as_lanes(context: Any, builder: Any, value: Any, kind: Any, element: Any) -> Any:
    """A value of a Numba type as lanes of this element."""
    if isinstance(kind, Lanes):
        return value
    return splat(builder, context.cast(builder, value, kind, element))


def _element_of(first: Any, second: Any) -> Any:
    return next((kind.element for kind in (first, second) if isinstance(kind, Lanes)), first)


def _make(emit: Callable[[Any, Any, Any, Any], Any], result: Any = None) -> Any:
    """Work on lanes, or lanes and a number: `emit` makes the code, the element is theirs if `result` names none."""

    @intrinsic
    def work(typing: Any, first: Any, second: Any) -> Any:
        element = _element_of(first, second)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            left, right = (
                _as_lanes(context, builder, value, kind, element)
                for value, kind in zip(args, signature.args, strict=True)
            )
            return emit(builder, isinstance(element, types.Integer), left, right)

        return Lanes(result or element)(first, second), generate

    return work


def _make_arithmetic(name: str) -> Any:
    def emit(builder: Any, whole: bool, left: Any, right: Any) -> Any:
        if whole:
            return getattr(builder, name)(left, right)
        return getattr(builder, "f" + name)(left, right, flags=["contract", "nsz"])

    return _make(emit)


def _make_comparison(sign: str) -> Any:
    def emit(builder: Any, whole: bool, left: Any, right: Any) -> Any:
        return (builder.icmp_signed if whole else builder.fcmp_ordered)(sign, left, right)

    return _make(emit, types.boolean)


def _teach(symbol: Callable[..., Any], work: Any) -> None:
    @overload(symbol, strict=False)
    def on_lanes(first: Any, second: Any) -> Any:
        if isinstance(first, Lanes) or isinstance(second, Lanes):
            return lambda first, second: work(first, second)
        return None


for _symbol, _name in (
    (operator.add, "add"),
    (operator.iadd, "add"),
    (operator.sub, "sub"),
    (operator.mul, "mul"),
    (operator.truediv, "div"),
):
    _teach(_symbol, _make_arithmetic(_name))
for _symbol, _sign in ((operator.le, "<="), (operator.lt, "<"), (operator.ge, ">="), (operator.eq, "==")):
    _teach(_symbol, _make_comparison(_sign))


@intrinsic
def choose(typing: Any, mask: Any, first: Any, second: Any) -> Any:
    """Where the mask is true the first, elsewhere the second; lanes or a number."""
    element = _element_of(first, second)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left = _as_lanes(context, builder, args[1], first, element)
        right = _as_lanes(context, builder, args[2], second, element)
        return builder.select(args[0], left, right)

    return Lanes(element)(mask, first, second), generate


@intrinsic
def floored(typing: Any, value: Any) -> Any:
    """The largest whole numbers that are not above lanes, or above a number."""
    name = f"v{COUNT}f{value.element.bitwidth}" if isinstance(value, Lanes) else f"f{value.bitwidth}"

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(args[0].type, [args[0].type])
        door = cgutils.get_or_insert_function(builder.module, kind, f"llvm.floor.{name}")
        return builder.call(door, [args[0]])

    return value(value), generate


@intrinsic
def as_numbers(typing: Any, like: Any, value: Any) -> Any:
    """Lanes of float64 as lanes of the numbers that `like` points to."""
    kind = like.dtype

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if kind == types.float64:
            return args[1]
        return builder.fptrunc(args[1], ir.VectorType(ir.FloatType(), COUNT))

    return Lanes(kind)(like, value), generate


@intrinsic
def as_doubles(typing: Any, value: Any) -> Any:
    """Lanes of numbers as float64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if value.element == types.float64:
            return args[0]
        return builder.fpext(args[0], ir.VectorType(ir.DoubleType(), COUNT))

    return Lanes(types.float64)(value), generate


@intrinsic
def as_integers(typing: Any, value: Any) -> Any:
    """Whole numbers in lanes of float64 as int64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fptosi(args[0], ir.VectorType(_WORD, COUNT))

    return Lanes(types.int64)(value), generate


@intrinsic
def count_up(typing: Any, first: Any) -> Any:
    """first, first + 1, ... in float64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        steps = ir.Constant(ir.VectorType(ir.DoubleType(), COUNT), [float(i) for i in range(COUNT)])
        return builder.fadd(splat(builder, args[0]), steps)

    return Lanes(types.float64)(types.float64), generate


@intrinsic
def lane(typing: Any, value: Any, index: Any) -> Any:
    """The number in one of the lanes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.extract_element(args[0], args[1])

    return value.element(value, types.int64), generate


@intrinsic
def sum_of(typing: Any, value: Any) -> Any:
    """The sum of all lanes, in float64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total = args[0]
        if value.element != types.float64:
            total = builder.fpext(total, ir.VectorType(ir.DoubleType(), COUNT))
        kind = ir.FunctionType(ir.DoubleType(), [ir.DoubleType(), total.type])
        door = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fadd.v{COUNT}f64")
        return builder.call(door, [ir.DoubleType()(-0.0), total], fastmath=["reassoc"])

    return types.float64(value), generate
