namespace Sway.Scoring;

/// <summary>
/// The sequences of a wave as a tree of what they have in common: each node is a run of tokens that one or more sequences go through,
/// and is computed once. A sequence's last token predicts nothing that is scored, so it is no part of the tree.
/// </summary>
internal sealed class TokenTree
{
    private readonly int[][] _ids;
    private readonly List<Node> _nodes = [];
    private readonly int[] _leaves;

    private TokenTree(int[][] ids)
    {
        _ids = ids;
        _leaves = new int[ids.Length];
    }

    /// <summary>The nodes; a parent stands before its children.</summary>
    public IReadOnlyList<Node> Nodes => _nodes;

    /// <summary>Number of tokens in all nodes.</summary>
    public int Tokens { get; private set; }

    /// <summary>Makes the tree of a wave.</summary>
    /// <param name="sequences">The sequences, each of at least two tokens.</param>
    /// <param name="share">Whether common beginnings are computed once.</param>
    /// <param name="kind">Sequences share only with those of the same kind (variant of the rotary embedding).</param>
    public static TokenTree Make(IReadOnlyList<TokenSequence> sequences, bool share, Func<int, int> kind)
    {
        var ids = sequences.Select(sequence => sequence.Ids.Take(sequence.Ids.Count - 1).ToArray()).ToArray();
        var tree = new TokenTree(ids);
        if (!share)
        {
            for (var i = 0; i < ids.Length; i++)
            {
                tree._leaves[i] = tree.Add(i, 0, ids[i].Length, -1, sequences[i].Ids.Count);
            }

            return tree;
        }

        foreach (var group in Enumerable.Range(0, ids.Length).GroupBy(i => kind(sequences[i].Ids.Count)).OrderBy(group => group.Key))
        {
            var order = group.ToArray();
            Array.Sort(order, (a, b) => ids[a].AsSpan().SequenceCompareTo(ids[b]) is var c and not 0 ? c : a - b);
            tree.Grow(order, 0, -1, order.Max(i => sequences[i].Ids.Count));
        }

        return tree;
    }

    /// <summary>The row of a sequence's token among the rows of all nodes in order.</summary>
    public int Row(int sequence, int position)
    {
        var node = _nodes[_leaves[sequence]];
        while (position < node.Start)
        {
            node = _nodes[node.Parent];
        }

        return node.FirstRow + position - node.Start;
    }

    // order: sequences that share their first `depth` tokens, sorted. Deep trees are walked with a stack of their own.
    private void Grow(int[] order, int depth, int parent, int length)
    {
        var open = new Stack<(int From, int To, int Depth, int Parent)>();
        open.Push((0, order.Length, depth, parent));
        while (open.TryPop(out var range))
        {
            var first = _ids[order[range.From]];
            var common = first.AsSpan(range.Depth).CommonPrefixLength(_ids[order[range.To - 1]].AsSpan(range.Depth)) + range.Depth;
            var node = common > range.Depth ? Add(order[range.From], range.Depth, common, range.Parent, length) : range.Parent;
            var from = range.From;
            while (from < range.To && _ids[order[from]].Length == common)
            {
                _leaves[order[from++]] = node;
            }

            while (from < range.To)
            {
                var token = _ids[order[from]][common];
                var to = from + 1;
                while (to < range.To && _ids[order[to]][common] == token)
                {
                    to++;
                }

                open.Push((from, to, common, node));
                from = to;
            }
        }
    }

    private int Add(int sequence, int start, int end, int parent, int length)
    {
        _nodes.Add(new Node(_ids[sequence].AsMemory(start, end - start), start, parent, Tokens, length));
        Tokens += end - start;
        return _nodes.Count - 1;
    }

    /// <summary>A run of tokens.</summary>
    /// <param name="Tokens">The tokens.</param>
    /// <param name="Start">Position of the first in its sequences.</param>
    /// <param name="Parent">Index of the node before it, or -1.</param>
    /// <param name="FirstRow">Tokens of all nodes before this one.</param>
    /// <param name="SequenceLength">A sequence length of the same kind as all that go through it.</param>
    internal sealed record Node(ReadOnlyMemory<int> Tokens, int Start, int Parent, int FirstRow, int SequenceLength);
}
