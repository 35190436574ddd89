using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

/// <summary>
/// Register tiles over <c>Vector128</c>: 8 x 8 outputs, and 4 and 1 rows for what is left.
/// Each output is one chain of fused multiply-adds in ascending k, so its bits do not depend on the tile that made it.
/// </summary>
internal sealed unsafe partial class GemmKernel128 : GemmKernel
{
    /// <inheritdoc/>
    public override int TileRows => 8;

    /// <inheritdoc/>
    public override int SmallRows => 4;

    /// <inheritdoc/>
    public override int Columns => 8;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Full(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail, byte* next, nint step)
    {
        var c0x = Vector128<float>.Zero; var c0y = Vector128<float>.Zero;
        var c1x = Vector128<float>.Zero; var c1y = Vector128<float>.Zero;
        var c2x = Vector128<float>.Zero; var c2y = Vector128<float>.Zero;
        var c3x = Vector128<float>.Zero; var c3y = Vector128<float>.Zero;
        var c4x = Vector128<float>.Zero; var c4y = Vector128<float>.Zero;
        var c5x = Vector128<float>.Zero; var c5y = Vector128<float>.Zero;
        var c6x = Vector128<float>.Zero; var c6y = Vector128<float>.Zero;
        var c7x = Vector128<float>.Zero; var c7y = Vector128<float>.Zero;
        Prefetch.Rows(c, stride, TileRows, Columns);
        while (true)
        {
            for (var k = 0; k < depth; k++)
            {
                var bx = Vector128.Load(b);
                var by = Vector128.Load(b + 4);
                b += 8;
                Prefetch.Line(next);
                next += step;
                var s = Vector128.Create(a[0]);
                c0x = Vector128.FusedMultiplyAdd(s, bx, c0x);
                c0y = Vector128.FusedMultiplyAdd(s, by, c0y);
                s = Vector128.Create(a[1]);
                c1x = Vector128.FusedMultiplyAdd(s, bx, c1x);
                c1y = Vector128.FusedMultiplyAdd(s, by, c1y);
                s = Vector128.Create(a[2]);
                c2x = Vector128.FusedMultiplyAdd(s, bx, c2x);
                c2y = Vector128.FusedMultiplyAdd(s, by, c2y);
                s = Vector128.Create(a[3]);
                c3x = Vector128.FusedMultiplyAdd(s, bx, c3x);
                c3y = Vector128.FusedMultiplyAdd(s, by, c3y);
                s = Vector128.Create(a[4]);
                c4x = Vector128.FusedMultiplyAdd(s, bx, c4x);
                c4y = Vector128.FusedMultiplyAdd(s, by, c4y);
                s = Vector128.Create(a[5]);
                c5x = Vector128.FusedMultiplyAdd(s, bx, c5x);
                c5y = Vector128.FusedMultiplyAdd(s, by, c5y);
                s = Vector128.Create(a[6]);
                c6x = Vector128.FusedMultiplyAdd(s, bx, c6x);
                c6y = Vector128.FusedMultiplyAdd(s, by, c6y);
                s = Vector128.Create(a[7]);
                c7x = Vector128.FusedMultiplyAdd(s, bx, c7x);
                c7y = Vector128.FusedMultiplyAdd(s, by, c7y);
                a += 8;
            }

            if (tail.Depth == 0)
            {
                break;
            }

            if (add)
            {
                Take(ref c0x, ref c0y, c);
                Take(ref c1x, ref c1y, c + stride);
                Take(ref c2x, ref c2y, c + (2 * stride));
                Take(ref c3x, ref c3y, c + (3 * stride));
                Take(ref c4x, ref c4y, c + (4 * stride));
                Take(ref c5x, ref c5y, c + (5 * stride));
                Take(ref c6x, ref c6y, c + (6 * stride));
                Take(ref c7x, ref c7y, c + (7 * stride));
                add = false;
            }

            a = tail.A;
            b = tail.B;
            depth = tail.Depth;
            tail = default;
            step = 0;
        }

        Put(c0x, c0y, c, add);
        Put(c1x, c1y, c + stride, add);
        Put(c2x, c2y, c + (2 * stride), add);
        Put(c3x, c3y, c + (3 * stride), add);
        Put(c4x, c4y, c + (4 * stride), add);
        Put(c5x, c5y, c + (5 * stride), add);
        Put(c6x, c6y, c + (6 * stride), add);
        Put(c7x, c7y, c + (7 * stride), add);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Small(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail)
    {
        var c0x = Vector128<float>.Zero; var c0y = Vector128<float>.Zero;
        var c1x = Vector128<float>.Zero; var c1y = Vector128<float>.Zero;
        var c2x = Vector128<float>.Zero; var c2y = Vector128<float>.Zero;
        var c3x = Vector128<float>.Zero; var c3y = Vector128<float>.Zero;
        while (true)
        {
            for (var k = 0; k < depth; k++)
            {
                var bx = Vector128.Load(b);
                var by = Vector128.Load(b + 4);
                b += 8;
                var s = Vector128.Create(a[0]);
                c0x = Vector128.FusedMultiplyAdd(s, bx, c0x);
                c0y = Vector128.FusedMultiplyAdd(s, by, c0y);
                s = Vector128.Create(a[1]);
                c1x = Vector128.FusedMultiplyAdd(s, bx, c1x);
                c1y = Vector128.FusedMultiplyAdd(s, by, c1y);
                s = Vector128.Create(a[2]);
                c2x = Vector128.FusedMultiplyAdd(s, bx, c2x);
                c2y = Vector128.FusedMultiplyAdd(s, by, c2y);
                s = Vector128.Create(a[3]);
                c3x = Vector128.FusedMultiplyAdd(s, bx, c3x);
                c3y = Vector128.FusedMultiplyAdd(s, by, c3y);
                a += 4;
            }

            if (tail.Depth == 0)
            {
                break;
            }

            if (add)
            {
                Take(ref c0x, ref c0y, c);
                Take(ref c1x, ref c1y, c + stride);
                Take(ref c2x, ref c2y, c + (2 * stride));
                Take(ref c3x, ref c3y, c + (3 * stride));
                add = false;
            }

            a = tail.A;
            b = tail.B;
            depth = tail.Depth;
            tail = default;
        }

        Put(c0x, c0y, c, add);
        Put(c1x, c1y, c + stride, add);
        Put(c2x, c2y, c + (2 * stride), add);
        Put(c3x, c3y, c + (3 * stride), add);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Single(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail)
    {
        var c0x = Vector128<float>.Zero; var c0y = Vector128<float>.Zero;
        while (true)
        {
            for (var k = 0; k < depth; k++)
            {
                var bx = Vector128.Load(b);
                var by = Vector128.Load(b + 4);
                b += 8;
                var s = Vector128.Create(a[0]);
                c0x = Vector128.FusedMultiplyAdd(s, bx, c0x);
                c0y = Vector128.FusedMultiplyAdd(s, by, c0y);
                a += 1;
            }

            if (tail.Depth == 0)
            {
                break;
            }

            if (add)
            {
                Take(ref c0x, ref c0y, c);
                add = false;
            }

            a = tail.A;
            b = tail.B;
            depth = tail.Depth;
            tail = default;
        }

        Put(c0x, c0y, c, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector128<float> x, Vector128<float> y, float* c, bool add)
    {
        if (add)
        {
            Take(ref x, ref y, c);
        }

        x.Store(c);
        y.Store(c + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Take(ref Vector128<float> x, ref Vector128<float> y, float* c)
    {
        x += Vector128.Load(c);
        y += Vector128.Load(c + 4);
    }
}
