using Sway.Tensors;

namespace Sway.Inference.Cpu;

/// <summary>
/// A weight matrix (outputs, inputs) as a source of column panels for products: panel element (k, j) is the weight of
/// input k and output j. Weights stay as stored and are widened to float32 panel by panel.
/// </summary>
internal abstract unsafe class PanelSource(int outputs, int inputs)
{
    /// <summary>The most outputs that one call of <see cref="TryDot"/> computes.</summary>
    public const int MostDotOutputs = 64;

    /// <summary>Number of outputs.</summary>
    public int Outputs { get; } = outputs;

    /// <summary>Number of inputs.</summary>
    public int Inputs { get; } = inputs;

    /// <summary>
    /// Writes the weights of outputs <paramref name="output"/> ... and inputs <paramref name="input"/> ... as (depth, columns);
    /// columns past <paramref name="valid"/> are zeros.
    /// </summary>
    public abstract void Pack(int output, int valid, int columns, int input, int depth, float* destination);

    /// <summary>Outputs that <see cref="TryDot"/> computes together: whole panels, no more than <see cref="MostDotOutputs"/>.</summary>
    public virtual int DotOutputs => GemmKernel.Best.Columns;

    /// <summary>
    /// sums[j] = the product of <paramref name="x"/> with the weights of output + j and inputs <paramref name="input"/> ..., one chain of
    /// fused multiply-adds from zero for each, without a panel; false where the layout does not allow it.
    /// </summary>
    /// <param name="output">First of <see cref="DotOutputs"/> outputs; all are there.</param>
    /// <param name="input">First input.</param>
    /// <param name="depth">Number of inputs.</param>
    /// <param name="x">The inputs.</param>
    /// <param name="sums">The results.</param>
    public virtual bool TryDot(int output, int input, int depth, float* x, float* sums) => false;

    /// <summary>Where the weights of one output lie; null where they are not neighbours.</summary>
    /// <param name="output">The output.</param>
    /// <param name="input">First input.</param>
    /// <param name="depth">Number of inputs.</param>
    /// <param name="bytes">Number of bytes.</param>
    public virtual byte* Locate(int output, int input, int depth, out nint bytes)
    {
        bytes = 0;
        return null;
    }

    /// <summary>Writes all weights of one output, float32.</summary>
    public abstract void ReadRow(int output, Span<float> destination);
}

/// <summary>A dense matrix, stored as (outputs, inputs) or transposed.</summary>
internal sealed unsafe class DensePanels : PanelSource
{
    private readonly byte* _data;
    private readonly DType _dtype;
    private readonly bool _transposed;
    private readonly int _size;
    private readonly object? _owner;

    /// <param name="data">The first element; stays valid as long as this is used.</param>
    /// <param name="dtype">F32, F16 or BF16.</param>
    /// <param name="outputs">Number of outputs.</param>
    /// <param name="inputs">Number of inputs.</param>
    /// <param name="transposed">Whether the matrix is stored as (inputs, outputs).</param>
    /// <param name="owner">What the data belongs to, kept as long as this; or null.</param>
    public DensePanels(byte* data, DType dtype, int outputs, int inputs, bool transposed, object? owner = null)
        : base(outputs, inputs)
    {
        _data = data;
        _dtype = dtype;
        _transposed = transposed;
        _size = dtype.ByteSize();
        _owner = owner;
    }

    /// <inheritdoc/>
    public override void Pack(int output, int valid, int columns, int input, int depth, float* destination)
    {
        if (_transposed)
        {
            for (var k = 0; k < depth; k++)
            {
                var row = new Span<float>(destination + ((nint)k * columns), columns);
                Widen(((long)(input + k) * Outputs) + output, row[..valid]);
                row[valid..].Clear();
            }

            return;
        }

        var stride = (nint)Inputs * _size;
        var source = At(output, input);
        switch (_dtype)
        {
            case DType.F32:
                WordPanel.Fill<SingleWords>(source, stride, valid, columns, depth, destination);
                break;
            case DType.BF16:
                WordPanel.Fill<BFloat16Words>(source, stride, valid, columns, depth, destination);
                break;
            default:
                WordPanel.Fill<HalfWords>(source, stride, valid, columns, depth, destination);
                break;
        }
    }

    /// <inheritdoc/>
    public override byte* Locate(int output, int input, int depth, out nint bytes)
    {
        bytes = _transposed ? 0 : (nint)depth * _size;
        return _transposed ? null : At(output, input);
    }

    /// <inheritdoc/>
    public override bool TryDot(int output, int input, int depth, float* x, float* sums)
    {
        if (_transposed || depth % (WordTranspose.Side * (4 / _size)) != 0)
        {
            return false;
        }

        var stride = (nint)Inputs * _size;
        var source = At(output, input);
        switch (_dtype)
        {
            case DType.F32:
                WordPanel.Dot<SingleWords>(source, stride, depth, x, sums);
                break;
            case DType.BF16:
                WordPanel.Dot<BFloat16Words>(source, stride, depth, x, sums);
                break;
            default:
                WordPanel.Dot<HalfWords>(source, stride, depth, x, sums);
                break;
        }

        return true;
    }

    /// <inheritdoc/>
    public override void ReadRow(int output, Span<float> destination)
    {
        if (!_transposed)
        {
            Widen((long)output * Inputs, destination[..Inputs]);
            return;
        }

        for (var k = 0; k < Inputs; k++)
        {
            Widen(((long)k * Outputs) + output, destination.Slice(k, 1));
        }
    }

    private byte* At(int output, int input) => _data + ((((long)output * Inputs) + input) * _size);

    private void Widen(long element, Span<float> destination) =>
        ElementConversion.ToSingle(_dtype, new ReadOnlySpan<byte>(_data + (element * _size), destination.Length * _size), destination);
}
