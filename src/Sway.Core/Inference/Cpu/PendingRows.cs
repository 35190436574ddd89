namespace Sway.Inference.Cpu;

/// <summary>
/// Rows that are computed where they are wanted: a tile at a time, while it is in cache, on its way into the order of products, so that
/// they need not be written to memory and read again in between.
/// </summary>
internal abstract unsafe class PendingRows(WorkerPool workers)
{
    /// <summary>The threads.</summary>
    public WorkerPool Workers { get; } = workers;

    /// <summary>Tensors that keep their elements as long as the rows are pending, but do not belong to them.</summary>
    public abstract CpuTensor? Source { get; }

    /// <summary>Elementary steps of a row.</summary>
    public abstract long StepsOfRow { get; }

    /// <summary>Computes a row.</summary>
    /// <param name="row">The row.</param>
    /// <param name="to">Where it is to stand; may be the row's own place in what <see cref="TakePlace"/> gives.</param>
    public abstract void Compute(int row, float* to);

    /// <summary>Where some rows are computed from; memory of no more than two places.</summary>
    public abstract (WantedBytes First, WantedBytes Second) Inputs(int row, int count);

    /// <summary>
    /// Memory of the caller from now on, for at least so many floats, that computed rows may replace: a row, or a tile of rows, at the
    /// place where the elements stand that it is computed from. Null where there is none.
    /// </summary>
    public virtual BufferPool.Buffer? TakePlace(long floats) => null;

    /// <summary>The rows are not wanted any more.</summary>
    public virtual void Release()
    {
    }
}
