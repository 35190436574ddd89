namespace Sway.Tokenization;

/// <summary>Growing arrays of tokens: id and the range of original bytes.</summary>
internal sealed class TokenSink
{
    private int[] _ids = new int[64];
    private int[] _starts = new int[64];
    private int[] _ends = new int[64];
    private bool[] _cutOut = new bool[64];

    public int Count { get; private set; }

    public Span<int> Ids => _ids.AsSpan(0, Count);

    public Span<int> Starts => _starts.AsSpan(0, Count);

    public Span<int> Ends => _ends.AsSpan(0, Count);

    /// <summary>Whether a token was cut out of the text as an added token; the model can give the same id.</summary>
    public ReadOnlySpan<bool> CutOut => _cutOut.AsSpan(0, Count);

    public void Clear() => Count = 0;

    public void Add(int id, int start, int end, bool cutOut = false)
    {
        if (Count == _ids.Length)
        {
            Array.Resize(ref _ids, 2 * Count);
            Array.Resize(ref _starts, 2 * Count);
            Array.Resize(ref _ends, 2 * Count);
            Array.Resize(ref _cutOut, 2 * Count);
        }

        _ids[Count] = id;
        _starts[Count] = start;
        _cutOut[Count] = cutOut;
        _ends[Count++] = end;
    }
}
