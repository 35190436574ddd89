using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Sway.Inference.Cpu;

/// <summary>Hints that memory will be wanted soon; nothing where the runtime has no instruction for it.</summary>
internal static unsafe class Prefetch
{
    private const int LineFloats = 16;

    /// <summary>One line of 64 bytes, into the second-level cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Line(byte* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(address);
        }
    }

    /// <summary>One line of 64 bytes, into the first-level cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Panel(float* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    /// <summary>A tile of floats, into the first-level cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Rows(float* first, nint stride, int rows, int columns)
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        for (var r = 0; r < rows; r++, first += stride)
        {
            for (var j = 0; j < columns; j += LineFloats)
            {
                Sse.Prefetch0(first + j);
            }
        }
    }
}
