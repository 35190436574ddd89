using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Patterns;

/// <summary>
/// A backtracking matcher with its own stack: the depth of the machine's stack depends on the pattern alone, never on the
/// text, and a budget of steps ends patterns that would search for ever.
/// </summary>
internal ref struct RegexMatcher
{
    private readonly ReadOnlySpan<byte> _text;
    private readonly RegexInstruction[] _code;
    private readonly bool[]? _firstBytes;
    private readonly int[] _slots;
    private readonly List<Choice> _stack = [];
    private long _budget;
    private int _searchStart;

    public RegexMatcher(RegexProgram program, ReadOnlySpan<byte> text)
    {
        _text = text;
        _code = program.Code;
        _firstBytes = program.FirstBytes;
        _slots = new int[program.SlotCount];
        _budget = 50_000_000 + (400L * text.Length);
    }

    private enum ChoiceKind
    {
        Resume,
        GiveBack,
        TakeMore,
        RestoreSlot,
    }

    private readonly record struct Choice(ChoiceKind Kind, int Pc, int At, int Limit);

    public bool Search(int from, out int start, out int end)
    {
        _searchStart = from;
        for (start = from; start <= _text.Length; start += start < _text.Length ? Utf8Text.LengthOf(_text[start]) : 1)
        {
            if (_firstBytes is not null && (start == _text.Length || !_firstBytes[_text[start]]))
            {
                continue;
            }

            end = Run(0, start, -1);
            if (end >= 0)
            {
                return true;
            }
        }

        end = -1;
        return false;
    }

    /// <summary>Runs to an End; with <paramref name="requiredEnd"/> &gt;= 0 only a match that ends there counts.</summary>
    private int Run(int pc, int at, int requiredEnd)
    {
        var bottom = _stack.Count;
        while (true)
        {
            if (--_budget < 0)
            {
                throw new TokenizationException("The tokenizer's regular expression needs too many steps on this text.");
            }

            var ok = true;
            ref readonly var instruction = ref _code[pc];
            switch (instruction.Op)
            {
                case RegexOp.Set:
                    ok = at < _text.Length && instruction.Set!.Contains(Utf8Text.Decode(_text, at, out var length))
                        && Advance(ref at, length);
                    pc++;
                    break;
                case RegexOp.SetRepeat:
                    ok = RepeatSet(instruction, pc, ref at);
                    pc++;
                    break;
                case RegexOp.Split:
                    _stack.Add(new Choice(ChoiceKind.Resume, instruction.B, at, 0));
                    pc = instruction.A;
                    break;
                case RegexOp.Jump:
                    pc = instruction.A;
                    break;
                case RegexOp.Anchor:
                    ok = IsAt((AnchorKind)instruction.A, at);
                    pc++;
                    break;
                case RegexOp.Atomic:
                    var inner = Run(pc + 1, at, -1);
                    ok = inner >= 0;
                    at = inner;
                    pc = instruction.A;
                    break;
                case RegexOp.Look:
                    ok = Look(instruction, pc + 1, at);
                    pc = instruction.A;
                    break;
                case RegexOp.Mark:
                    _stack.Add(new Choice(ChoiceKind.RestoreSlot, instruction.A, _slots[instruction.A], 0));
                    _slots[instruction.A] = at;
                    pc++;
                    break;
                case RegexOp.LeaveIfEmpty:
                    pc = _slots[instruction.A] == at ? instruction.B : pc + 1;
                    break;
                default:
                    ok = requiredEnd < 0 || at == requiredEnd;
                    if (ok)
                    {
                        Unwind(bottom);
                        return at;
                    }

                    break;
            }

            if (!ok && !Backtrack(bottom, ref pc, ref at))
            {
                return -1;
            }
        }
    }

    private static bool Advance(ref int at, int length)
    {
        at += length;
        return true;
    }

    private bool RepeatSet(in RegexInstruction instruction, int pc, ref int at)
    {
        var set = instruction.Set!;
        var most = instruction.Mode == RepeatMode.Lazy ? instruction.A : instruction.B;
        var count = 0;
        var fewest = at;
        while (count < most && at < _text.Length)
        {
            if (!set.Contains(Utf8Text.Decode(_text, at, out var length)))
            {
                break;
            }

            at += length;
            if (++count <= instruction.A)
            {
                fewest = at;
            }
        }

        _budget -= count / 8;
        if (count < instruction.A)
        {
            return false;
        }

        if (instruction.Mode == RepeatMode.Greedy && at > fewest)
        {
            _stack.Add(new Choice(ChoiceKind.GiveBack, pc + 1, at, fewest));
        }
        else if (instruction.Mode == RepeatMode.Lazy && count < instruction.B)
        {
            _stack.Add(new Choice(ChoiceKind.TakeMore, pc, at, instruction.B - count));
        }

        return true;
    }

    private bool Backtrack(int bottom, ref int pc, ref int at)
    {
        while (_stack.Count > bottom)
        {
            var choice = _stack[^1];
            _stack.RemoveAt(_stack.Count - 1);
            switch (choice.Kind)
            {
                case ChoiceKind.Resume:
                    (pc, at) = (choice.Pc, choice.At);
                    return true;
                case ChoiceKind.GiveBack:
                    (pc, at) = (choice.Pc, Utf8Text.PreviousStart(_text, choice.At));
                    if (at > choice.Limit)
                    {
                        _stack.Add(choice with { At = at });
                    }

                    return true;
                case ChoiceKind.TakeMore:
                    if (choice.At < _text.Length && _code[choice.Pc].Set!.Contains(Utf8Text.Decode(_text, choice.At, out var length)))
                    {
                        (pc, at) = (choice.Pc + 1, choice.At + length);
                        if (choice.Limit > 1)
                        {
                            _stack.Add(choice with { At = at, Limit = choice.Limit == int.MaxValue ? choice.Limit : choice.Limit - 1 });
                        }

                        return true;
                    }

                    break;
                default:
                    _slots[choice.Pc] = choice.At;
                    break;
            }
        }

        return false;
    }

    /// <summary>Drops the choices of a finished run; what they would restore must be restored, for the caller's loops go on.</summary>
    private void Unwind(int bottom)
    {
        for (var i = _stack.Count - 1; i >= bottom; i--)
        {
            if (_stack[i].Kind == ChoiceKind.RestoreSlot)
            {
                _slots[_stack[i].Pc] = _stack[i].At;
            }
        }

        _stack.RemoveRange(bottom, _stack.Count - bottom);
    }

    private bool Look(in RegexInstruction instruction, int body, int at)
    {
        if (!instruction.Behind)
        {
            return Run(body, at, -1) >= 0 != instruction.Flag;
        }

        var found = false;
        for (var start = at; start >= 0 && !found; start = start == 0 ? -1 : Utf8Text.PreviousStart(_text, start))
        {
            found = Run(body, start, at) >= 0;
        }

        return found != instruction.Flag;
    }

    private readonly bool IsAt(AnchorKind kind, int at) => kind switch
    {
        AnchorKind.LineStart => at == 0 || (_text[at - 1] == '\n' && at < _text.Length),
        AnchorKind.LineEnd => at == _text.Length || _text[at] == '\n',
        AnchorKind.TextStart => at == 0,
        AnchorKind.TextEnd => at == _text.Length,
        AnchorKind.TextEndOrLastNewline => at == _text.Length || (at == _text.Length - 1 && _text[at] == '\n'),
        AnchorKind.SearchStart => at == _searchStart,
        AnchorKind.WordBoundary => IsWordBoundary(at),
        _ => !IsWordBoundary(at),
    };

    private readonly bool IsWordBoundary(int at)
    {
        var before = at > 0 && CodePoints.IsLoneWord(Utf8Text.DecodeBefore(_text, at, out _));
        var after = at < _text.Length && CodePoints.IsLoneWord(Utf8Text.Decode(_text, at, out _));
        return before != after;
    }
}
