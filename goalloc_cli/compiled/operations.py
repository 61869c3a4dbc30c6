"""Operations of the processor, for the compiler; `words.py` says what they do, under the same names."""

# mypy: allow-untyped-defs
# (Operations are typed by what they are called with.)

from __future__ import annotations

import sys

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


@intrinsic
def prefetch(typingctx, table, row):
    """To be written to, and kept; data."""

    def codegen(context, builder, signature, args):
        rows = context.make_array(signature.args[0])(context, builder, args[0])
        at = context.cast(builder, args[1], signature.args[1], types.intp)
        address = builder.bitcast(builder.gep(rows.data, [at]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        builder.call(ask, [address, number(1), number(3), number(1)])
        return context.get_dummy_value()

    return types.none(table, row), codegen


@intrinsic
def word_at(typingctx, data, at):
    """A word that need not be aligned."""

    def codegen(context, builder, signature, args):
        bytes_of = context.make_array(signature.args[0])(context, builder, args[0])
        index = context.cast(builder, args[1], signature.args[1], types.intp)
        word = ir.IntType(64)
        found = builder.load(builder.bitcast(builder.gep(bytes_of.data, [index]), word.as_pointer()), align=1)
        return found if sys.byteorder == "little" else builder.bswap(found)

    return types.uint64(data, at), codegen


@intrinsic
def trailing_zeros(typingctx, word):
    """Count trailing zeros; of 0 any number."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], context.get_constant(types.boolean, True))

    return types.int64(types.uint64), codegen


@intrinsic
def popcount(typingctx, word):
    """Population count."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen
