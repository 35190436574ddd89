namespace Sway.Tensors;

/// <summary>Copies an n-dimensional block between two layouts, choosing row copies, a tile transpose, or single words.</summary>
internal static class StridedCopy
{
    /// <param name="source">Bytes that begin with the block's first element.</param>
    /// <param name="sourceStrides">Distances between elements along each axis, in elements.</param>
    /// <param name="destination">Bytes that begin with the block's first element.</param>
    /// <param name="destinationStrides">As for the source.</param>
    /// <param name="counts">Elements along each axis.</param>
    /// <param name="wordSize">Bytes of an element.</param>
    public static void Copy(
        ReadOnlySpan<byte> source,
        ReadOnlySpan<long> sourceStrides,
        Span<byte> destination,
        ReadOnlySpan<long> destinationStrides,
        ReadOnlySpan<long> counts,
        int wordSize)
    {
        int axes = counts.Length;
        Span<long> n = stackalloc long[axes];
        Span<long> s = stackalloc long[axes];
        Span<long> d = stackalloc long[axes];
        int kept = 0;
        for (int axis = 0; axis < axes; axis++)
        {
            if (counts[axis] == 0)
            {
                return;
            }

            if (counts[axis] == 1)
            {
                continue;
            }

            bool joins = kept > 0
                && s[kept - 1] == sourceStrides[axis] * counts[axis]
                && d[kept - 1] == destinationStrides[axis] * counts[axis];
            if (joins)
            {
                n[kept - 1] *= counts[axis];
                s[kept - 1] = sourceStrides[axis];
                d[kept - 1] = destinationStrides[axis];
            }
            else
            {
                n[kept] = counts[axis];
                s[kept] = sourceStrides[axis];
                d[kept] = destinationStrides[axis];
                kept++;
            }
        }

        CopyAxes(source, s[..kept], destination, d[..kept], n[..kept], wordSize);
    }

    private static void CopyAxes(
        ReadOnlySpan<byte> source, Span<long> s, Span<byte> destination, Span<long> d, Span<long> n, int wordSize)
    {
        if (n.Length == 0)
        {
            source[..wordSize].CopyTo(destination);
            return;
        }

        if (n is [var length] && s[0] == 1 && d[0] == 1)
        {
            source[..checked((int)length * wordSize)].CopyTo(destination);
            return;
        }

        if (n.Length == 2 && s[0] == 1 && d[1] == 1)
        {
            Transposition.Transpose(source, (int)s[1], destination, (int)d[0], (int)n[1], (int)n[0], wordSize);
            return;
        }

        if (n.Length == 2 && s[1] == 1 && d[0] == 1)
        {
            Transposition.Transpose(source, (int)s[0], destination, (int)d[1], (int)n[0], (int)n[1], wordSize);
            return;
        }

        if (n.Length == 1)
        {
            for (long i = 0; i < n[0]; i++)
            {
                source.Slice((int)(i * s[0] * wordSize), wordSize).CopyTo(destination[(int)(i * d[0] * wordSize)..]);
            }

            return;
        }

        // Walk an axis that neither side holds densely, so that the two dense ones meet in the transpose.
        int outer = 0;
        for (int axis = 0; axis < n.Length; axis++)
        {
            if (s[axis] != 1 && d[axis] != 1)
            {
                outer = axis;
                break;
            }
        }

        long count = n[outer], sourceStride = s[outer], destinationStride = d[outer];
        Span<long> restN = stackalloc long[n.Length - 1];
        Span<long> restS = stackalloc long[n.Length - 1];
        Span<long> restD = stackalloc long[n.Length - 1];
        for (int axis = 0, k = 0; axis < n.Length; axis++)
        {
            if (axis != outer)
            {
                (restN[k], restS[k], restD[k]) = (n[axis], s[axis], d[axis]);
                k++;
            }
        }

        for (long i = 0; i < count; i++)
        {
            CopyAxes(
                source[checked((int)(i * sourceStride * wordSize))..], restS, destination[checked((int)(i * destinationStride * wordSize))..], restD, restN, wordSize);
        }
    }
}
