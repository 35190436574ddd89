using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

/// <summary>
/// One register tile of a matrix product: rows interleaved by k times a panel of columns interleaved by k. The three
/// implementations compute the same bits; only their speed differs.
/// </summary>
internal abstract unsafe class GemmKernel
{
    /// <summary>The widest tile that this machine's registers carry, chosen once.</summary>
    public static GemmKernel Best { get; } = Choose();

    /// <summary>Rows of a full tile.</summary>
    public abstract int TileRows { get; }

    /// <summary>Rows of the tile for few rows left.</summary>
    public abstract int SmallRows { get; }

    /// <summary>Columns of a panel.</summary>
    public abstract int Columns { get; }

    /// <summary>How many interleaved rows a tile that holds <paramref name="rows"/> rows is stored with.</summary>
    public int PackedRows(int rows) => rows == 1 ? 1 : rows <= SmallRows ? SmallRows : TileRows;

    /// <summary>
    /// c = a b, or c += a b: the sum over <paramref name="depth"/> starts at zero and is added to c once.
    /// </summary>
    /// <param name="packedRows">1, <see cref="SmallRows"/> or <see cref="TileRows"/>; c must have so many rows.</param>
    /// <param name="a">(depth, packedRows).</param>
    /// <param name="b">(depth, <see cref="Columns"/>).</param>
    /// <param name="depth">Number of products in each sum.</param>
    /// <param name="c">(packedRows, <see cref="Columns"/>), rows <paramref name="stride"/> floats apart.</param>
    /// <param name="stride">Distance of rows of c in floats.</param>
    /// <param name="add">Whether to add to c instead of setting it.</param>
    public void Multiply(int packedRows, float* a, float* b, int depth, float* c, nint stride, bool add) =>
        Multiply(packedRows, a, b, depth, c, stride, add, default, (byte*)a, 0);

    /// <summary>As above, for panels of <see cref="Columns"/> or half as many; the chains may go on, and a full tile also asks for what is wanted next.</summary>
    /// <param name="columns">Columns of the panel.</param>
    /// <param name="packedRows">1, <see cref="SmallRows"/> or <see cref="TileRows"/>; c must have so many rows.</param>
    /// <param name="a">(depth, packedRows).</param>
    /// <param name="b">(depth, <paramref name="columns"/>).</param>
    /// <param name="depth">Number of products in each sum.</param>
    /// <param name="c">(packedRows, <paramref name="columns"/>), rows <paramref name="stride"/> floats apart.</param>
    /// <param name="stride">Distance of rows of c in floats.</param>
    /// <param name="add">Whether to add to c instead of setting it.</param>
    /// <param name="tail">What goes on the chain of each finished output.</param>
    /// <param name="next">What is wanted next; an address that need not be readable.</param>
    /// <param name="step">Bytes of it for each of <paramref name="depth"/>.</param>
    public void Multiply(
        int columns, int packedRows, float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail, byte* next, nint step)
    {
        if (columns == Columns)
        {
            Multiply(packedRows, a, b, depth, c, stride, add, tail, next, step);
        }
        else
        {
            MultiplyHalf(packedRows, a, b, depth, c, stride, add, tail, next, step);
        }
    }

    /// <summary>A tile of <see cref="TileRows"/> rows.</summary>
    protected abstract void Full(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail, byte* next, nint step);

    /// <summary>A tile of <see cref="SmallRows"/> rows.</summary>
    protected abstract void Small(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail);

    /// <summary>A tile of one row.</summary>
    protected abstract void Single(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail);

    /// <summary>A tile of <see cref="TileRows"/> rows and half a panel's columns.</summary>
    protected abstract void FullHalf(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail, byte* next, nint step);

    /// <summary>One row of half a panel's columns; its elements lie <paramref name="distance"/> floats apart.</summary>
    protected abstract void RowHalf(float* a, nint distance, float* b, int depth, float* c, bool add, ProductTail tail);

    private void Multiply(int packedRows, float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail, byte* next, nint step)
    {
        if (packedRows == 1)
        {
            Single(a, b, depth, c, stride, add, tail);
        }
        else if (packedRows == SmallRows)
        {
            Small(a, b, depth, c, stride, add, tail);
        }
        else
        {
            Full(a, b, depth, c, stride, add, tail, next, step);
        }
    }

    private void MultiplyHalf(
        int packedRows, float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail, byte* next, nint step)
    {
        if (packedRows == TileRows)
        {
            FullHalf(a, b, depth, c, stride, add, tail, next, step);
            return;
        }

        for (var r = 0; r < packedRows; r++)
        {
            RowHalf(a + r, packedRows, b, depth, c + (r * stride), add, tail with { A = tail.A + r });
        }
    }

    private static GemmKernel Choose()
    {
        if (Vector512.IsHardwareAccelerated)
        {
            return new GemmKernel512();
        }

        return Vector256.IsHardwareAccelerated ? new GemmKernel256() : new GemmKernel128();
    }
}
