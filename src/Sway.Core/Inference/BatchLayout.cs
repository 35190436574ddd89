namespace Sway.Inference;

/// <summary>One sequence in one view: which rows of the batch are its new tokens, and what it remembers.</summary>
public sealed class Lane
{
    /// <summary>First row in the batch.</summary>
    public required int FirstRow { get; init; }

    /// <summary>Number of new tokens.</summary>
    public required int Count { get; init; }

    /// <summary>Absolute position of the first new token.</summary>
    public required int Start { get; init; }

    /// <summary>Length of the whole sequence, which decides between the variants of a rotary embedding.</summary>
    public required int SequenceLength { get; init; }

    /// <summary>Keys, values and states of earlier tokens, or null when nothing came before and nothing follows.</summary>
    public LaneMemory? Memory { get; init; }

    /// <summary>The lane of the same batch whose last token comes right before <see cref="Start"/>, or null.</summary>
    /// <remarks>Sequences that begin alike share the lanes of what they have in common. A lane with a parent has no memory.</remarks>
    public Lane? Parent { get; init; }

    /// <summary>The lane that holds an absolute position at or before this one's: itself, an ancestor, or null for a memory.</summary>
    public Lane? At(int position)
    {
        var lane = this;
        while (lane is not null && position < lane.Start)
        {
            lane = lane.Parent;
        }

        return lane;
    }

    /// <summary>The first lane of the line that this one ends.</summary>
    public Lane Root
    {
        get
        {
            var lane = this;
            while (lane.Parent is { } parent)
            {
                lane = parent;
            }

            return lane;
        }
    }
}

/// <summary>The lanes of a batch in row order; a parent stands before its children.</summary>
/// <param name="Lanes">The lanes.</param>
/// <param name="Rows">Rows in all.</param>
public sealed record BatchLayout(IReadOnlyList<Lane> Lanes, int Rows)
{
    private Lane[]? _laneOfRow;

    /// <summary>The lane of each row.</summary>
    internal ReadOnlyMemory<Lane> LaneOfRow
    {
        get
        {
            if (_laneOfRow is null)
            {
                _laneOfRow = new Lane[Rows];
                foreach (var lane in Lanes)
                {
                    _laneOfRow.AsSpan(lane.FirstRow, lane.Count).Fill(lane);
                }
            }

            return _laneOfRow;
        }
    }
}

/// <summary>What a sequence remembers in each layer: keys and values, or a recurrent state.</summary>
public sealed class LaneMemory(int layers)
{
    private readonly LayerMemory?[] _layers = new LayerMemory?[layers];

    /// <summary>Number of tokens remembered.</summary>
    public int Length { get; set; }

    /// <summary>The memory of a layer, made when first asked for.</summary>
    public LayerMemory this[int layer] => _layers[layer] ??= new LayerMemory();

    /// <summary>A copy that can go on by itself.</summary>
    /// <param name="length">Tokens to keep; recurrent states can be kept only whole.</param>
    public LaneMemory Fork(int length)
    {
        var copy = new LaneMemory(_layers.Length) { Length = length };
        for (var i = 0; i < _layers.Length; i++)
        {
            copy._layers[i] = _layers[i]?.Fork(length);
        }

        return copy;
    }
}

/// <summary>What one layer remembers of one sequence.</summary>
public sealed class LayerMemory
{
    /// <summary>Keys, (length, key heads * head size).</summary>
    public float[] Keys { get; set; } = [];

    /// <summary>Values, (length, key heads * value size).</summary>
    public float[] Values { get; set; } = [];

    /// <summary>Elements of a key row.</summary>
    public int KeyWidth { get; set; }

    /// <summary>Elements of a value row.</summary>
    public int ValueWidth { get; set; }

    /// <summary>The last inputs of a convolution, (taps - 1, width).</summary>
    public float[]? Convolution { get; set; }

    /// <summary>The state of a recurrence.</summary>
    public float[]? State { get; set; }

    /// <summary>Keys and values as another engine keeps them, or null.</summary>
    public IEngineMemory? Engine { get; set; }

    /// <summary>A copy of the first tokens.</summary>
    public LayerMemory Fork(int length) => new()
    {
        Engine = Engine?.Fork(length),
        Keys = Keys.AsSpan(0, Math.Min(Keys.Length, length * KeyWidth)).ToArray(),
        Values = Values.AsSpan(0, Math.Min(Values.Length, length * ValueWidth)).ToArray(),
        KeyWidth = KeyWidth,
        ValueWidth = ValueWidth,
        Convolution = (float[]?)Convolution?.Clone(),
        State = (float[]?)State?.Clone(),
    };
}

/// <summary>What one layer remembers of one sequence in an engine's own form.</summary>
public interface IEngineMemory
{
    /// <summary>A copy of the first tokens.</summary>
    IEngineMemory Fork(int length);
}
