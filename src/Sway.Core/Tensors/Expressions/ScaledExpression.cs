using System.Buffers;

namespace Sway.Tensors;

/// <summary>Elements times a factor (one for all, or one for each index of an axis), computed in float64 and rounded once.</summary>
internal sealed class ScaledExpression : TensorExpression
{
    private readonly TensorExpression _inner;
    private readonly double _factor;
    private readonly int _axis;
    private readonly double[]? _factors;

    public ScaledExpression(TensorExpression inner, DType dtype, double factor, int axis, double[]? factors)
        : base(dtype, inner.Shape)
    {
        if (factors is not null && factors.Length != inner.Shape[axis])
        {
            throw new ArgumentException($"{factors.Length} factors for an axis of {inner.Shape[axis]}.", nameof(factors));
        }

        _inner = inner;
        _factor = factor;
        _axis = axis;
        _factors = factors;
    }

    public override bool KeepsBits => false;

    public override IEnumerable<string> Sources => _inner.Sources;

    public override TensorExpression Permute(params ReadOnlySpan<int> axes) =>
        With(_inner.Permute(axes), _factors is null ? -1 : axes.IndexOf(_axis), _factors);

    public override TensorExpression Slice(int axis, long start, long count, long step = 1)
    {
        double[]? factors = _factors;
        if (factors is not null && axis == _axis)
        {
            double[] all = factors;
            factors = [.. Enumerable.Range(0, checked((int)count)).Select(i => all[start + (i * step)])];
        }

        return With(_inner.Slice(axis, start, count, step), _axis, factors);
    }

    public override TensorExpression SplitAxis(int axis, long outer)
    {
        if (_factors is not null && axis == _axis)
        {
            return new TensorView(new ExpressionSource(this), DType, Shape).SplitAxis(axis, outer);
        }

        return With(_inner.SplitAxis(axis, outer), axis < _axis ? _axis + 1 : _axis, _factors);
    }

    public override TensorExpression Unsqueeze(int axis) =>
        With(_inner.Unsqueeze(axis), axis <= _axis ? _axis + 1 : _axis, _factors);

    public override TensorExpression Squeeze(int axis) => _factors is not null && axis == _axis
        ? new ScaledExpression(_inner.Squeeze(axis), DType, _factor * _factors[0], -1, null)
        : With(_inner.Squeeze(axis), axis < _axis ? _axis - 1 : _axis, _factors);

    public override void Read(ReadOnlySpan<long> start, ReadOnlySpan<long> count, Span<byte> destination)
    {
        int elements = checked((int)Product(count));
        int bytes = checked(elements * _inner.DType.ByteSize());
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Max(bytes, 1));
        double[] values = ArrayPool<double>.Shared.Rent(Math.Max(elements, 1));
        try
        {
            _inner.Read(start, count, buffer.AsSpan(0, bytes));
            Span<double> numbers = values.AsSpan(0, elements);
            ElementConversion.ToDouble(_inner.DType, buffer.AsSpan(0, bytes), numbers);
            Multiply(numbers, start, count);
            ElementConversion.FromDouble(DType, numbers, destination);
        }
        finally
        {
            ArrayPool<double>.Shared.Return(values);
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void Multiply(Span<double> numbers, ReadOnlySpan<long> start, ReadOnlySpan<long> count)
    {
        if (_factor != 1)
        {
            System.Numerics.Tensors.TensorPrimitives.Multiply(numbers, _factor, numbers);
        }

        if (_factors is null)
        {
            return;
        }

        int inner = checked((int)Product(count[(_axis + 1)..]));
        int axisCount = checked((int)count[_axis]);
        for (int offset = 0, i = 0; offset < numbers.Length; offset += inner, i++)
        {
            double factor = _factors[start[_axis] + (i % axisCount)];
            System.Numerics.Tensors.TensorPrimitives.Multiply(numbers.Slice(offset, inner), factor, numbers.Slice(offset, inner));
        }
    }

    private ScaledExpression With(TensorExpression inner, int axis, double[]? factors) => new(inner, DType, _factor, axis, factors);
}
