using System.Runtime.InteropServices;

namespace Sway.Inference.Cpu;

/// <summary>An array that stays where it is as long as somebody holds this.</summary>
internal sealed unsafe class PinnedNumbers
{
    private GCHandle _handle;

    public PinnedNumbers(float[] values)
    {
        _handle = GCHandle.Alloc(values, GCHandleType.Pinned);
    }

    /// <summary>Lets go of the array.</summary>
#pragma warning disable MA0055 // Weights have no owner that would dispose them: they go with the last adapter that names them.
    ~PinnedNumbers()
#pragma warning restore MA0055
    {
        _handle.Free();
    }

    /// <summary>The first element.</summary>
    public float* Data => (float*)_handle.AddrOfPinnedObject();
}
