using Sway.Inference.Cpu;

namespace Sway.Inference.Mlx;

public sealed unsafe partial class MlxEngine
{
    // Recurrences go step by step, which a graph of array operations does slowly and with other roundings; they are a small part of a
    // model's work and run where the managed engine runs them.

    /// <inheritdoc/>
    public EngineTensor ShortConvolution(
        EngineTensor projected, EngineWeight kernel, EngineWeight? bias, int taps, BatchLayout layout, int layer)
    {
        using CpuTensor input = ToHost(projected);
        using var result = (CpuTensor)_host.ShortConvolution(
            input, ((MlxVector)kernel).Host, (bias as MlxVector)?.Host, taps, layout, layer);
        return FromHost(result);
    }

    /// <inheritdoc/>
    public EngineTensor DeltaRule(
        EngineTensor projected, EngineTensor beta, EngineTensor decay, DeltaRuleWeights weights, BatchLayout layout, int layer)
    {
        ArgumentNullException.ThrowIfNull(weights);
        using CpuTensor input = ToHost(projected);
        using CpuTensor write = ToHost(beta);
        using CpuTensor rate = ToHost(decay);
        var host = new DeltaRuleWeights
        {
            Spec = weights.Spec,
            Kernel = ((MlxVector)weights.Kernel).Host,
            LogA = ((MlxVector)weights.LogA).Host,
            StepBias = ((MlxVector)weights.StepBias).Host,
        };
        using var result = (CpuTensor)_host.DeltaRule(input, write, rate, host, layout, layer);
        return FromHost(result);
    }

    private CpuTensor ToHost(EngineTensor x)
    {
        CpuTensor copy = _host.Allocate(x.Rows, x.Width);
        new ReadOnlySpan<float>(((MlxTensor)x).Data, x.Rows * x.Width).CopyTo(copy.Span);
        return copy;
    }
}
