namespace Sway.Inference;

/// <summary>The rows of a run on their way through the layers, in groups that pass each of them one after the other.</summary>
internal sealed class LayerBatch : IDisposable
{
    private readonly IEngine _engine;
    private readonly IReadOnlyList<SequencePart> _parts;
    private readonly IReadOnlyList<DecoderView> _views;
    private readonly int _limit;
    private readonly int _tokens;
    private Group[] _groups = [];
    private bool _expanded;

    /// <param name="engine">The engine.</param>
    /// <param name="parts">The sequences.</param>
    /// <param name="views">The views.</param>
    /// <param name="limit">Rows that a group should not exceed.</param>
    public LayerBatch(IEngine engine, IReadOnlyList<SequencePart> parts, IReadOnlyList<DecoderView> views, int limit)
    {
        (_engine, _parts, _views, _limit) = (engine, parts, views, limit);
        _tokens = parts.Sum(part => part.Tokens.Length);
    }

    /// <summary>Begins with the embedded tokens, of all views or of the base that they have in common so far.</summary>
    public void Begin(EngineTensor embedded, bool expanded)
    {
        _expanded = expanded;
        var groups = RowGroup.Of(_parts, expanded ? _views.Count : 1, _limit);
        _groups = [.. groups.Select(Prepare)];
        if (groups.Length == 1)
        {
            _groups[0].Hidden = embedded;
            return;
        }

        using (embedded)
        {
            foreach (var group in _groups)
            {
                group.Hidden = _engine.Gather([embedded], Enumerable.Range(group.Rows.First, group.Rows.Count).ToArray());
            }
        }
    }

    /// <summary>Gives each view rows of its own, where all have the base's so far.</summary>
    public void Expand()
    {
        if (_expanded)
        {
            return;
        }

        _expanded = true;
        var common = _groups;
        _groups = [.. RowGroup.Of(_parts, _views.Count, _limit).Select(Prepare)];
        if (_groups.Length == 1)
        {
            _groups[0].Hidden = _engine.Repeat(common[0].Take(), _views.Count);
            return;
        }

        // Each view is divided as the base was.
        for (var i = 0; i < common.Length; i++)
        {
            var hidden = _groups[i].Hidden = common[i].Take();
            for (var view = 1; view < _views.Count; view++)
            {
                _groups[(view * common.Length) + i].Hidden = _engine.Columns(hidden, 0, hidden.Width);
            }
        }
    }

    /// <summary>Runs a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="check">Called after each group with its hidden states and its first row.</param>
    /// <param name="cancellationToken">Looked at before each group.</param>
    public void Run(LayerRunner layer, Action<EngineTensor, int> check, CancellationToken cancellationToken)
    {
        foreach (var group in _groups)
        {
            cancellationToken.ThrowIfCancellationRequested();
            layer.Run(group.Hidden!, group.Layout, group.Views);
            check(group.Hidden!, group.Rows.First);
        }
    }

    /// <summary>Ends the run with what the layers gave.</summary>
    public HiddenStates End()
    {
        Expand();
        return new HiddenStates(_groups.Select(group => group.Take()));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var group in _groups)
        {
            group.Hidden?.Dispose();
        }
    }

    private Group Prepare(RowGroup rows) => new(rows, Layout(rows), _expanded ? ViewRange.Of(_views, _tokens, rows) : []);

    private BatchLayout Layout(RowGroup group)
    {
        var lanes = new List<Lane>();
        var own = new Lane[_parts.Count];
        var row = 0;
        for (var v = 0; row < group.First + group.Count; v++)
        {
            for (var i = 0; i < _parts.Count; row += _parts[i++].Tokens.Length)
            {
                if (row < group.First || row >= group.First + group.Count)
                {
                    continue;
                }

                var part = _parts[i];
                lanes.Add(own[i] = new Lane
                {
                    FirstRow = row - group.First,
                    Count = part.Tokens.Length,
                    Start = part.Start,
                    SequenceLength = part.SequenceLength,
                    Memory = part.Memories?[v],
                    Parent = part.Parent < 0 ? null : own[part.Parent],
                });
            }
        }

        return new BatchLayout(lanes, group.Count);
    }

    private sealed class Group(RowGroup rows, BatchLayout layout, ViewRange[] views)
    {
        public RowGroup Rows { get; } = rows;

        public BatchLayout Layout { get; } = layout;

        public ViewRange[] Views { get; } = views;

        public EngineTensor? Hidden { get; set; }

        public EngineTensor Take()
        {
            var hidden = Hidden!;
            Hidden = null;
            return hidden;
        }
    }
}
