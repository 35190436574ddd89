namespace Sway.Inference.Mlx;

public sealed unsafe partial class MlxEngine
{
    /// <inheritdoc/>
    public EngineTensor Norm(EngineTensor x, NormKind kind, double epsilon, EngineWeight? weight, EngineWeight? bias)
    {
        using MlxOperations.Scope scope = _ops.Begin();
        return Tensor(scope, Normalize(ArrayOf(x), kind, epsilon, weight as MlxVector, bias as MlxVector), x.Rows, x.Width);
    }

    /// <inheritdoc/>
    public EngineTensor Gated(EngineTensor gate, int gateFirst, EngineTensor up, int upFirst, int width, Activation activation)
    {
        using MlxOperations.Scope scope = _ops.Begin();
        MlxArray open = Activated(_ops.Slice(ArrayOf(gate), 1, gateFirst, width), activation);
        return Tensor(scope, _ops.Multiply(open, _ops.Slice(ArrayOf(up), 1, upFirst, width)), gate.Rows, width);
    }

    /// <inheritdoc/>
    public void Activate(EngineTensor x, Activation activation) => Update(x, array => Activated(array, activation));

    /// <inheritdoc/>
    public void Add(EngineTensor x, EngineTensor y, double factor) =>
        Update(x, array => _ops.Add(array, _ops.Multiply(ArrayOf(y), factor)));

    /// <inheritdoc/>
    public void Scale(EngineTensor x, double factor) => Update(x, array => _ops.Multiply(array, factor));

    /// <inheritdoc/>
    public void SoftCap(EngineTensor x, double cap) => Update(x, array => Capped(array, cap));

    /// <inheritdoc/>
    public void ScaleBySigmoid(EngineTensor x, EngineTensor gate) => Update(x, array => _ops.Multiply(array, _ops.Sigmoid(ArrayOf(gate))));

    /// <inheritdoc/>
    public void NormThenGate(EngineTensor x, EngineTensor gate, int headSize, double epsilon, EngineWeight weight) => Update(x, array =>
    {
        MlxArray heads = _ops.Reshape(array, x.Rows, x.Width / headSize, headSize);
        MlxArray normed = _ops.Reshape(Normalize(heads, NormKind.Rms, epsilon, (MlxVector)weight, null), x.Rows, x.Width);
        return _ops.Multiply(normed, Activated(ArrayOf(gate), Activation.Silu));
    });

    private MlxArray Normalize(MlxArray x, NormKind kind, double epsilon, MlxVector? weight, MlxVector? bias)
    {
        MlxArray factors = weight is null ? MlxArray.None : kind == NormKind.RmsPlusOne ? weight.PlusOne : weight.Array;
        if (kind == NormKind.Layer)
        {
            return _ops.LayerNorm(x, factors, bias?.Array ?? MlxArray.None, epsilon);
        }

        MlxArray normed = _ops.RmsNorm(x, factors, epsilon);
        return bias is null ? normed : _ops.Add(normed, bias.Array);
    }

    private MlxArray Capped(MlxArray x, double cap) => _ops.Multiply(_ops.Tanh(_ops.Divide(x, cap)), cap);

    private MlxArray Activated(MlxArray x, Activation activation)
    {
        switch (activation)
        {
            case Activation.Silu:
                return _ops.Multiply(x, _ops.Sigmoid(x));
            case Activation.Gelu:
                MlxArray error = _ops.Erf(_ops.Multiply(x, Math.Sqrt(0.5)));
                return _ops.Multiply(_ops.Multiply(x, _ops.Add(error, _ops.Number(1.0, x.Type))), 0.5);
            case Activation.GeluTanh:
                // 0.5 x (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3).
                MlxArray cube = _ops.Multiply(_ops.Multiply(x, x), x);
                MlxArray twice = _ops.Multiply(_ops.Add(x, _ops.Multiply(cube, 0.044715)), 2.0 * Math.Sqrt(2.0 / Math.PI));
                return _ops.Multiply(x, _ops.Sigmoid(twice));
            case Activation.Relu:
                return _ops.Maximum(x, 0.0);
            default:
                MlxArray positive = _ops.Maximum(x, 0.0);
                return _ops.Multiply(positive, positive);
        }
    }
}
