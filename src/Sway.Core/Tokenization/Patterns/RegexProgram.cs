namespace Sway.Tokenization.Patterns;

internal enum RegexOp
{
    Set,
    SetRepeat,
    Split,
    Jump,
    Anchor,
    Atomic,
    Look,
    Mark,
    LeaveIfEmpty,
    End,
}

/// <summary>One instruction; what the numbers mean depends on the operation (see <see cref="RegexProgram"/>).</summary>
internal readonly record struct RegexInstruction(
    RegexOp Op, int A = 0, int B = 0, CharacterSet? Set = null, RepeatMode Mode = RepeatMode.Greedy, bool Flag = false, bool Behind = false);

/// <summary>
/// A compiled pattern. Set: one code point. SetRepeat: A to B code points of a set. Split: try A, then B. Jump: to A.
/// Atomic and Look: the body follows, ends with End, and the match goes on at A. Mark and LeaveIfEmpty guard loops whose body
/// can match nothing (slot A, way out B).
/// </summary>
internal sealed class RegexProgram
{
    private const int MaximumLength = 200_000;

    private readonly List<RegexInstruction> _code = [];

    private RegexProgram()
    {
    }

    public RegexInstruction[] Code { get; private set; } = [];

    public int SlotCount { get; private set; }

    /// <summary>Which bytes a match can begin with; null when it can be empty.</summary>
    public bool[]? FirstBytes { get; private set; }

    public static RegexProgram Compile(string pattern)
    {
        var node = RegexParser.Parse(pattern);
        var program = new RegexProgram();
        program.Emit(node);
        program.Add(new RegexInstruction(RegexOp.End));
        program.Code = [.. program._code];
        var first = new bool[256];
        program.FirstBytes = CollectFirstBytes(node, first) ? null : first;
        return program;
    }

    private int Add(RegexInstruction instruction)
    {
        if (_code.Count >= MaximumLength)
        {
            throw new RegexSyntaxException("the pattern is too long when its repeats are written out");
        }

        _code.Add(instruction);
        return _code.Count - 1;
    }

    private void Emit(RegexNode node)
    {
        switch (node)
        {
            case SetNode set:
                Add(new RegexInstruction(RegexOp.Set, Set: set.Set));
                break;
            case SequenceNode sequence:
                foreach (var item in sequence.Items)
                {
                    Emit(item);
                }

                break;
            case AlternativesNode alternatives:
                EmitAlternatives(alternatives);
                break;
            case RepeatNode { Body: SetNode body } repeat:
                Add(new RegexInstruction(RegexOp.SetRepeat, repeat.Minimum, repeat.Maximum, body.Set, repeat.Mode));
                break;
            case RepeatNode { Mode: RepeatMode.Possessive } repeat:
                EmitBody(RegexOp.Atomic, repeat with { Mode = RepeatMode.Greedy }, false, false);
                break;
            case RepeatNode repeat:
                EmitRepeat(repeat);
                break;
            case AtomicNode atomic:
                EmitBody(RegexOp.Atomic, atomic.Body, false, false);
                break;
            case LookNode look:
                EmitBody(RegexOp.Look, look.Body, look.Negative, look.Behind);
                break;
            case AnchorNode anchor:
                Add(new RegexInstruction(RegexOp.Anchor, (int)anchor.Kind));
                break;
        }
    }

    private void EmitAlternatives(AlternativesNode node)
    {
        var exits = new List<int>();
        for (var i = 0; i < node.Items.Count; i++)
        {
            var last = i == node.Items.Count - 1;
            var split = last ? -1 : Add(new RegexInstruction(RegexOp.Split));
            Emit(node.Items[i]);
            if (!last)
            {
                exits.Add(Add(new RegexInstruction(RegexOp.Jump)));
                _code[split] = new RegexInstruction(RegexOp.Split, split + 1, _code.Count);
            }
        }

        foreach (var exit in exits)
        {
            _code[exit] = new RegexInstruction(RegexOp.Jump, _code.Count);
        }
    }

    private void EmitBody(RegexOp op, RegexNode body, bool negative, bool behind)
    {
        var start = Add(new RegexInstruction(op));
        Emit(body);
        Add(new RegexInstruction(RegexOp.End));
        _code[start] = new RegexInstruction(op, _code.Count, Flag: negative, Behind: behind);
    }

    private void EmitRepeat(RepeatNode repeat)
    {
        for (var i = 0; i < repeat.Minimum; i++)
        {
            Emit(repeat.Body);
        }

        if (repeat.Maximum == int.MaxValue)
        {
            var slot = SlotCount++;
            var split = Add(new RegexInstruction(RegexOp.Split));
            Add(new RegexInstruction(RegexOp.Mark, slot));
            Emit(repeat.Body);
            var guard = Add(new RegexInstruction(RegexOp.LeaveIfEmpty));
            Add(new RegexInstruction(RegexOp.Jump, split));
            _code[guard] = new RegexInstruction(RegexOp.LeaveIfEmpty, slot, _code.Count);
            Patch(split, repeat.Mode);
            return;
        }

        var splits = new List<int>();
        for (var i = repeat.Minimum; i < repeat.Maximum; i++)
        {
            splits.Add(Add(new RegexInstruction(RegexOp.Split)));
            Emit(repeat.Body);
        }

        splits.ForEach(s => Patch(s, repeat.Mode));
    }

    private void Patch(int split, RepeatMode mode) =>
        _code[split] = mode == RepeatMode.Lazy
            ? new RegexInstruction(RegexOp.Split, _code.Count, split + 1)
            : new RegexInstruction(RegexOp.Split, split + 1, _code.Count);

    /// <summary>Adds the bytes that can begin the node; true when the node can match without consuming.</summary>
    private static bool CollectFirstBytes(RegexNode node, bool[] bytes)
    {
        switch (node)
        {
            case SetNode set:
                for (var c = 0; c < 128; c++)
                {
                    bytes[c] |= set.Set.Contains(c);
                }

                // Which lead bytes lie in the set beyond ASCII would need a scan of Unicode; all of them is safe.
                Array.Fill(bytes, true, 0xC2, 0x100 - 0xC2);
                return false;
            case SequenceNode sequence:
                return sequence.Items.All(item => CollectFirstBytes(item, bytes));
            case AlternativesNode alternatives:
                var empty = false;
                foreach (var item in alternatives.Items)
                {
                    empty |= CollectFirstBytes(item, bytes);
                }

                return empty;
            case RepeatNode repeat:
                return repeat.Maximum == 0 | CollectFirstBytes(repeat.Body, bytes) | repeat.Minimum == 0;
            case AtomicNode atomic:
                return CollectFirstBytes(atomic.Body, bytes);
            default:
                return true;
        }
    }
}
