"""Eight bytes at once: numbers of unequal length are read without a branch for each of their bytes."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import sys
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

if numba.config.DISABLE_JIT:

    def word_at(data: Any, at: Any) -> Any:
        """The eight bytes of an array from `at` on, which have to be there, as a word whose lowest byte is the first."""
        return np.uint64(int.from_bytes(data[at : at + 8].tobytes(), "little"))

    def zeros_below(word: Any) -> Any:
        """Number of zero bits below the lowest set bit of a word that is not 0."""
        return (int(word) & -int(word)).bit_length() - 1

else:

    @intrinsic
    def word_at(typingctx, data, at):
        """The eight bytes of an array from `at` on, which have to be there, as a word whose lowest byte is the first."""

        def codegen(context, builder, signature, args):
            bytes_of = context.make_array(signature.args[0])(context, builder, args[0])
            index = context.cast(builder, args[1], signature.args[1], types.intp)
            word = ir.IntType(64)
            found = builder.load(builder.bitcast(builder.gep(bytes_of.data, [index]), word.as_pointer()), align=1)
            return found if sys.byteorder == "little" else builder.bswap(found)

        return types.uint64(data, at), codegen

    @intrinsic
    def zeros_below(typingctx, word):
        """Number of zero bits below the lowest set bit of a word that is not 0."""

        def codegen(context, builder, signature, args):
            return builder.cttz(args[0], context.get_constant(types.boolean, True))

        return types.int64(types.uint64), codegen
