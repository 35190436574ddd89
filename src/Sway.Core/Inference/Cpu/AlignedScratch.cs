using System.Runtime.InteropServices;

namespace Sway.Inference.Cpu;

/// <summary>Aligned scratch memory of a thread, kept as long as the thread lives.</summary>
internal sealed unsafe class AlignedScratch
{
    [ThreadStatic]
    private static AlignedScratch? t_panel;

    [ThreadStatic]
    private static AlignedScratch? t_work;

    [ThreadStatic]
    private static AlignedScratch? t_rows;

    private float* _data;
    private long _length;

    private AlignedScratch()
    {
    }

    /// <summary>Frees the memory with its thread.</summary>
#pragma warning disable MA0055 // A thread-static has no other end of life.
    ~AlignedScratch()
#pragma warning restore MA0055
    {
        NativeMemory.AlignedFree(_data);
    }

    /// <summary>Scratch for one panel.</summary>
    public static float* Panel(long floats) => (t_panel ??= new AlignedScratch()).Ensure(floats);

    /// <summary>Scratch for the rows of a tile.</summary>
    public static float* Rows(long floats) => (t_rows ??= new AlignedScratch()).Ensure(floats);

    /// <summary>Scratch for everything else; one user at a time.</summary>
    public static float* Work(long floats) => (t_work ??= new AlignedScratch()).Ensure(floats);

    private float* Ensure(long floats)
    {
        if (_length < floats)
        {
            NativeMemory.AlignedFree(_data);
            _data = (float*)NativeMemory.AlignedAlloc((nuint)floats * sizeof(float), 64);
            _length = floats;
        }

        return _data;
    }
}
