using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Sway.Adapters;

namespace Sway.Tensors.Torch;

/// <summary>
/// Reads a pickle as data: it builds tuples, lists and dictionaries, and records what the pickle would have called
/// instead of calling it. Globals outside the allow-list, opcodes that torch never writes, and sizes that only a hostile
/// file needs are errors. Opcodes: CPython, Lib/pickletools.py.
/// </summary>
internal sealed class PickleReader
{
    // A hostile pickle can make an object of each byte; real files need about 40 operations for a tensor.
    private const int MaximumOperations = 4_000_000;
    private const int MaximumMarks = 200;
    private const int MaximumTupleDepth = 32;
    private const int MaximumText = 1 << 20;

    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly byte[] _bytes;
    private readonly int _length;
    private readonly IPickleGlobals _globals;
    private readonly string _path;
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<uint, object?> _memo = [];

    public PickleReader(byte[] bytes, int start, int length, IPickleGlobals globals, string path)
    {
        _bytes = bytes;
        Position = start;
        _length = length;
        _globals = globals;
        _path = path;
    }

    /// <summary>The position after what was read.</summary>
    public int Position { get; private set; }

    /// <summary>True when reading failed because the bytes ended.</summary>
    public bool RanOut { get; private set; }

    /// <summary>Reads one pickle, to its STOP.</summary>
    /// <exception cref="AdapterFormatException">The bytes are no pickle of the kind that torch writes.</exception>
    /// <exception cref="ConversionRefusedException">The pickle names a foreign global.</exception>
    public object? Read()
    {
        for (int operation = 0; operation < MaximumOperations; operation++)
        {
            byte code = Take(1)[0];
            if (code == '.')
            {
                return Pop();
            }

            Execute(code);
        }

        throw Damaged($"has more than {MaximumOperations} operations");
    }

    private void Execute(byte code)
    {
        switch (code)
        {
            case 0x80: // PROTO
                if (Take(1)[0] is 0 or > 5)
                {
                    throw Damaged("has an unknown protocol");
                }

                break;
            case 0x95: // FRAME: a hint of how far to read ahead, of no use here
                Take(8);
                break;
            case (byte)'(':
                if (_marks.Count == MaximumMarks)
                {
                    throw Damaged($"nests deeper than {MaximumMarks}");
                }

                _marks.Add(_stack.Count);
                break;
            case (byte)'0': // POP removes a mark that lies on top
                if (_marks.Count > 0 && _marks[^1] == _stack.Count)
                {
                    _marks.RemoveAt(_marks.Count - 1);
                }
                else
                {
                    Pop();
                }

                break;
            case (byte)'1':
                PopMark();
                break;
            case (byte)'2':
                _stack.Add(Peek());
                break;
            case (byte)'q' or (byte)'r':
                _memo[code == 'q' ? Take(1)[0] : BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Peek();
                break;
            case 0x94: // MEMOIZE
                _memo[(uint)_memo.Count] = Peek();
                break;
            case (byte)'h' or (byte)'j':
                uint index = code == 'h' ? Take(1)[0] : BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                _stack.Add(_memo.TryGetValue(index, out object? remembered) ? remembered : throw Damaged("recalls what it never stored"));
                break;
            default:
                if (!TryScalar(code) && !TryContainer(code) && !TryObject(code))
                {
                    throw Damaged($"uses the operation 0x{code:x2}, which torch does not write");
                }

                break;
        }
    }

    private bool TryScalar(byte code)
    {
        object? value;
        switch (code)
        {
            case (byte)'N':
                value = null;
                break;
            case 0x88 or 0x89:
                value = code == 0x88;
                break;
            case (byte)'K':
                value = (long)Take(1)[0];
                break;
            case (byte)'M':
                value = (long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2));
                break;
            case (byte)'J':
                value = (long)BinaryPrimitives.ReadInt32LittleEndian(Take(4));
                break;
            case 0x8a: // LONG1: two's complement of any width; only torch's own magic number is wider than 64 bits
                var number = new BigInteger(Take(Take(1)[0]));
                value = number >= long.MinValue && number <= long.MaxValue ? (long)number : number;
                break;
            case (byte)'G':
                value = BinaryPrimitives.ReadDoubleBigEndian(Take(8));
                break;
            case 0x8c:
                value = Text(Take(1)[0]);
                break;
            case (byte)'X':
                value = Text(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)));
                break;
            case 0x8d:
                value = Text(BinaryPrimitives.ReadUInt64LittleEndian(Take(8)));
                break;
            case (byte)'U': // SHORT_BINSTRING, Python 2
                value = Text(Take(1)[0]);
                break;
            case (byte)'C':
                value = Take(Take(1)[0]).ToArray();
                break;
            case (byte)'B':
                uint length = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                value = length <= MaximumText ? Take((int)length).ToArray() : throw Damaged("holds an oversized byte string");
                break;
            default:
                return false;
        }

        _stack.Add(value);
        return true;
    }

    private bool TryContainer(byte code)
    {
        switch (code)
        {
            case (byte)')':
                _stack.Add(PickleTuple.Empty);
                break;
            case 0x85 or 0x86 or 0x87:
                PushTuple(TakeTop(code - 0x84));
                break;
            case (byte)'t':
                PushTuple(PopMark());
                break;
            case (byte)']' or 0x8f: // EMPTY_LIST, EMPTY_SET
                _stack.Add(new PickleList());
                break;
            case (byte)'a':
                object? appended = Pop();
                Peek<PickleList>().Items.Add(appended);
                break;
            case (byte)'e' or 0x90: // APPENDS, ADDITEMS
                object?[] items = PopMark();
                Peek<PickleList>().Items.AddRange(items);
                break;
            case (byte)'}':
                _stack.Add(new PickleDictionary());
                break;
            case (byte)'s':
                SetItems(TakeTop(2));
                break;
            case (byte)'u':
                SetItems(PopMark());
                break;
            default:
                return false;
        }

        return true;
    }

    private bool TryObject(byte code)
    {
        switch (code)
        {
            case (byte)'c':
                string module = Line();
                PushGlobal(module, Line());
                break;
            case 0x93: // STACK_GLOBAL
                object?[] names = TakeTop(2);
                PushGlobal(names[0] as string ?? throw Damaged("names no module"), names[1] as string ?? throw Damaged("names no class"));
                break;
            case (byte)'R' or 0x81: // REDUCE, NEWOBJ
                PickleTuple arguments = Pop() as PickleTuple ?? throw Damaged("calls something without a tuple of arguments");
                PickleGlobal type = Pop() as PickleGlobal ?? throw Damaged("calls something that is no global");
                _stack.Add(type.Is("collections", "OrderedDict") ? OrderedDictionary(arguments) : new PickleInstance(type, arguments));
                break;
            case (byte)'b':
                object? state = Pop();
                switch (Peek())
                {
                    case PickleInstance instance:
                        instance.State = state;
                        break;
                    case PickleDictionary: // attributes of an OrderedDict, such as a state dict's _metadata
                        break;
                    default:
                        throw Damaged("gives a state to something that has none");
                }

                break;
            case (byte)'Q':
                _stack.Add(new PicklePersistent(Pop()));
                break;
            default:
                return false;
        }

        return true;
    }

    private PickleDictionary OrderedDictionary(PickleTuple arguments)
    {
        var dictionary = new PickleDictionary();
        if (arguments.Items is [])
        {
            return dictionary;
        }

        // Python 2 passes the pairs as one list.
        PickleList pairs = arguments.Items is [PickleList list] ? list : throw Damaged("builds an OrderedDict of something else than pairs");
        foreach (object? pair in pairs.Items)
        {
            IReadOnlyList<object?> items = pair switch
            {
                PickleList l => l.Items,
                PickleTuple t => t.Items,
                _ => [],
            };
            if (items is not [{ } key, var value])
            {
                throw Damaged("builds an OrderedDict of something else than pairs");
            }

            dictionary.Add(key, value);
        }

        return dictionary;
    }

    private void PushGlobal(string module, string name)
    {
        if (_globals.Allows(module, name))
        {
            _stack.Add(new PickleGlobal(module, name));
            return;
        }

        throw new ConversionRefusedException(_path, [new Refusal(
            RefusalCategory.UnsafePickle,
            $"its pickle names {Printable(module)}.{Printable(name)}, which tensors do not need and which could run code; nothing was executed.")
        {
            Remedy = "Save the adapter as safetensors with the library that wrote it, if you trust the file.",
        }]);
    }

    private void PushTuple(object?[] items)
    {
        var tuple = new PickleTuple(items);
        _stack.Add(tuple.Depth <= MaximumTupleDepth ? tuple : throw Damaged($"nests tuples deeper than {MaximumTupleDepth}"));
    }

    private void SetItems(object?[] items)
    {
        PickleDictionary dictionary = Peek<PickleDictionary>();
        if (items.Length % 2 != 0)
        {
            throw Damaged("sets a key without a value");
        }

        for (int i = 0; i < items.Length; i += 2)
        {
            dictionary.Add(items[i] ?? throw Damaged("uses None as a key"), items[i + 1]);
        }
    }

    private object? Pop()
    {
        object? value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    // A mark may not be looked under: what lies below it belongs to an unfinished container.
    private object? Peek() => _stack.Count > (_marks.Count > 0 ? _marks[^1] : 0) ? _stack[^1] : throw Damaged("takes a value that is not there");

    private T Peek<T>()
        where T : class => Peek() as T ?? throw Damaged("adds items to something that holds none");

    private object?[] TakeTop(int count)
    {
        object?[] items = new object?[count];
        for (int i = count - 1; i >= 0; i--)
        {
            items[i] = Pop();
        }

        return items;
    }

    private object?[] PopMark()
    {
        if (_marks.Count == 0)
        {
            throw Damaged("closes what it did not open");
        }

        int mark = _marks[^1];
        _marks.RemoveAt(_marks.Count - 1);
        object?[] items = [.. _stack[mark..]];
        _stack.RemoveRange(mark, items.Length);
        return items;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _length - Position)
        {
            RanOut = true;
            throw Damaged("ends too early");
        }

        Position += count;
        return _bytes.AsSpan(Position - count, count);
    }

    private string Text(ulong length)
    {
        if (length > MaximumText)
        {
            throw Damaged("holds an oversized text");
        }

        try
        {
            return s_utf8.GetString(Take((int)length));
        }
        catch (DecoderFallbackException)
        {
            throw Damaged("holds a text that is not UTF-8");
        }
    }

    private string Line()
    {
        int end = _bytes.AsSpan(Position, Math.Min(_length - Position, 512)).IndexOf((byte)'\n');
        if (end < 0)
        {
            RanOut = _length - Position < 512;
            throw Damaged("names a global without an end");
        }

        string line = Text((ulong)end);
        Position++;
        return line;
    }

    private static string Printable(string text) =>
        new([.. text.Take(80).Select(static c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)]);

    private AdapterFormatException Damaged(string what) =>
        new($"{_path}: its pickle {what} (at byte {Position} of it).") { Path = _path };
}
