using System.Runtime.InteropServices;

namespace Sway.Inference.Mlx;

/// <summary>
/// An array of MLX: a node of a lazy graph, or data. Freed exactly once, on the thread that owns MLX: at once when disposed there, else
/// when that thread comes to it.
/// </summary>
internal sealed class MlxArray : SafeHandle
{
    private readonly MlxRuntime? _runtime;

    /// <summary>Takes over a handle.</summary>
    public MlxArray(MlxRuntime runtime, nint handle)
        : base(0, ownsHandle: true)
    {
        _runtime = runtime;
        SetHandle(handle);
    }

    /// <summary>No array.</summary>
    public MlxArray()
        : base(0, ownsHandle: true)
    {
    }

    /// <summary>What functions take where an array may be absent.</summary>
    public static MlxArray None { get; } = new();

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The sizes of the dimensions.</summary>
    public unsafe int[] Shape => new ReadOnlySpan<int>(MlxNative.Shape(this), (int)MlxNative.Dimensions(this)).ToArray();

    /// <summary>The element type.</summary>
    public MlxType Type => MlxNative.TypeOf(this);

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        _runtime?.Release(handle);
        return true;
    }
}
