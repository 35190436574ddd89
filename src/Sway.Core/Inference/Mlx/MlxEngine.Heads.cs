namespace Sway.Inference.Mlx;

public sealed unsafe partial class MlxEngine
{
    /// <inheritdoc/>
    public void NormHeads(HeadView heads, NormKind kind, double epsilon, EngineWeight? weight, HeadNormScope scope) => UpdateHeads(heads, x =>
    {
        var vector = weight as MlxVector;
        switch (scope)
        {
            case HeadNormScope.AllHeads:
                MlxArray flat = _ops.Reshape(x, heads.Tensor.Rows, heads.Heads * heads.Size);
                return _ops.Reshape(Normalize(flat, kind, epsilon, vector, null), heads.Tensor.Rows, heads.Heads, heads.Size);
            case HeadNormScope.HeadOwnWeights when vector is not null:
                MlxArray own = kind == NormKind.RmsPlusOne ? vector.PlusOne : vector.Array;
                return _ops.Multiply(Normalize(x, kind, epsilon, null, null), _ops.Reshape(own, 1, heads.Heads, heads.Size));
            default:
                return Normalize(x, kind, epsilon, vector, null);
        }
    });

    /// <inheritdoc/>
    public void Rope(HeadView heads, RopeTable table, bool interleaved, BatchLayout layout)
    {
        int half = table.Dimensions / 2;
        (MlxArray cosines, MlxArray sines) = Angles(table, layout);
        UpdateHeads(heads, x =>
        {
            int rows = heads.Tensor.Rows;
            MlxArray rotated = _ops.Slice(x, 2, 0, 2 * half);
            MlxArray first, second;
            if (interleaved)
            {
                MlxArray pairs = _ops.Reshape(rotated, rows, heads.Heads, half, 2);
                first = _ops.Reshape(_ops.Slice(pairs, 3, 0, 1), rows, heads.Heads, half);
                second = _ops.Reshape(_ops.Slice(pairs, 3, 1, 1), rows, heads.Heads, half);
            }
            else
            {
                first = _ops.Slice(rotated, 2, 0, half);
                second = _ops.Slice(rotated, 2, half, half);
            }

            MlxArray a = _ops.Subtract(_ops.Multiply(first, cosines), _ops.Multiply(second, sines));
            MlxArray b = _ops.Add(_ops.Multiply(second, cosines), _ops.Multiply(first, sines));
            MlxArray turned = interleaved
                ? _ops.Reshape(_ops.Concatenate([_ops.Reshape(a, rows, heads.Heads, half, 1), _ops.Reshape(b, rows, heads.Heads, half, 1)], 3), rows, heads.Heads, 2 * half)
                : _ops.Concatenate([a, b], 2);
            return _ops.Replace(x, turned, 2, 0);
        });
    }

    /// <inheritdoc/>
    public void ScaleRows(HeadView heads, ReadOnlySpan<float> factors)
    {
        float[] values = factors.ToArray();
        UpdateHeads(heads, x => _ops.Multiply(x, _ops.New(values, x.Type, values.Length, 1, 1)));
    }

    /// <inheritdoc/>
    public void GateBySigmoid(EngineTensor x, HeadView gate) => Update(x, array =>
        _ops.Multiply(array, _ops.Sigmoid(_ops.Reshape(Heads(gate), x.Rows, gate.Heads * gate.Size))));

    /// <inheritdoc/>
    public EngineTensor JoinKeys(HeadView own, HeadView shared)
    {
        using MlxOperations.Scope scope = _ops.Begin();
        int rows = own.Tensor.Rows;
        MlxArray common = _ops.Broadcast(Heads(shared), rows, own.Heads, shared.Size);
        int size = own.Size + shared.Size;
        MlxArray keys = _ops.Reshape(_ops.Concatenate([Heads(own), common], 2), rows, own.Heads * size);
        return Tensor(scope, keys, rows, own.Heads * size);
    }

    // A view's heads as (rows, heads, size).
    private MlxArray Heads(HeadView view)
    {
        MlxArray x = ArrayOf(view.Tensor);
        int rows = view.Tensor.Rows;
        if (view.Stride == view.Size || view.Heads == 1)
        {
            return _ops.Reshape(_ops.Slice(x, 1, view.Offset, view.Heads * view.Size), rows, view.Heads, view.Size);
        }

        (int group, int within) = Place(view);
        MlxArray groups = _ops.Slice(_ops.Reshape(x, rows, view.Tensor.Width / view.Stride, view.Stride), 1, group, view.Heads);
        return _ops.Slice(groups, 2, within, view.Size);
    }

    private void UpdateHeads(HeadView view, Func<MlxArray, MlxArray> change) => Update(view.Tensor, array =>
    {
        MlxArray changed = change(Heads(view));
        int rows = view.Tensor.Rows;
        if (view.Stride == view.Size || view.Heads == 1)
        {
            return _ops.Replace(array, _ops.Reshape(changed, rows, view.Heads * view.Size), 1, view.Offset);
        }

        (int group, int within) = Place(view);
        MlxArray all = _ops.Reshape(array, rows, view.Tensor.Width / view.Stride, view.Stride);
        MlxArray part = _ops.Replace(_ops.Slice(all, 1, group, view.Heads), changed, 2, within);
        return _ops.Reshape(_ops.Replace(all, part, 1, group), rows, view.Tensor.Width);
    });

    // Which group of a stride's length holds head 0, and where in it the head begins.
    private static (int Group, int Within) Place(HeadView view)
    {
        (int group, int within) = Math.DivRem(view.Offset, view.Stride);
        return view.Tensor.Width % view.Stride == 0 && within + view.Size <= view.Stride
            ? (group, within)
            : throw new UnsupportedModelException(
                $"Heads of {view.Size} at {view.Offset} with a distance of {view.Stride} in rows of {view.Tensor.Width} have no place on MLX.");
    }

    // Cosines and sines of every row, (rows, 1, dimensions / 2), in double like the managed engine's and rounded once.
    private (MlxArray Cosines, MlxArray Sines) Angles(RopeTable table, BatchLayout layout)
    {
        if (!ReferenceEquals(_anglesOf, layout))
        {
            ForgetAngles();
            _anglesOf = layout;
        }

        if (_angles.TryGetValue(table, out (MlxArray, MlxArray) found))
        {
            return found;
        }

        int half = table.Dimensions / 2;
        var cosines = new float[layout.Rows * half];
        var sines = new float[cosines.Length];
        foreach (Lane lane in layout.Lanes)
        {
            ReadOnlySpan<double> frequencies = table.Frequencies(lane.SequenceLength);
            for (int i = 0; i < lane.Count; i++)
            {
                for (int d = 0; d < half; d++)
                {
                    (double sin, double cos) = Math.SinCos((lane.Start + i) * frequencies[d]);
                    int at = ((lane.FirstRow + i) * half) + d;
                    cosines[at] = (float)(cos * table.Scaling);
                    sines[at] = (float)(sin * table.Scaling);
                }
            }
        }

        using MlxOperations.Scope scope = _ops.Begin();
        found = (Settled(scope, _ops.New(cosines, Type, layout.Rows, 1, half)), Settled(scope, _ops.New(sines, Type, layout.Rows, 1, half)));
        _angles.Add(table, found);
        return found;
    }

    private void ForgetAngles()
    {
        foreach ((MlxArray cosines, MlxArray sines) in _angles.Values)
        {
            cosines.Dispose();
            sines.Dispose();
        }

        _angles.Clear();
        _anglesOf = null;
    }

    private readonly Dictionary<RopeTable, (MlxArray Cosines, MlxArray Sines)> _angles = [];
    private BatchLayout? _anglesOf;
}
