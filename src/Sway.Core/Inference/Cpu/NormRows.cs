namespace Sway.Inference.Cpu;

/// <summary>The norms of a tensor's rows.</summary>
/// <param name="workers">The threads.</param>
/// <param name="source">The tensor.</param>
/// <param name="kind">The norm.</param>
/// <param name="epsilon">Added to the mean square.</param>
/// <param name="weight">A factor for each element, or null.</param>
/// <param name="bias">Added to each element, or null.</param>
internal sealed unsafe class NormRows(WorkerPool workers, CpuTensor source, NormKind kind, double epsilon, float[]? weight, float[]? bias)
    : PendingRows(workers)
{
    /// <inheritdoc/>
    public override CpuTensor Source => source;

    /// <inheritdoc/>
    public override long StepsOfRow => source.Width;

    /// <inheritdoc/>
    public override void Compute(int row, float* to)
    {
        source.FetchAhead(row);
        RowNorm.Run(source.Row(row), to, source.Width, kind, epsilon, weight, 0, bias, source.Squares?[row]);
    }

    /// <inheritdoc/>
    public override (WantedBytes First, WantedBytes Second) Inputs(int row, int count) => (source.Bytes(row, count), default);
}
