using System.Buffers.Binary;
using System.Numerics;

namespace Sway.Tensors.Torch;

/// <summary>
/// Reads a pickle as data: it builds tuples, lists and dictionaries, and records what the pickle would have called
/// instead of calling it. Globals outside the allow-list, opcodes that torch never writes, and sizes that only a hostile
/// file needs are errors. Opcodes: CPython, Lib/pickletools.py.
/// </summary>
internal sealed partial class PickleReader
{
    // A hostile pickle can make an object of each byte; real files need about 40 operations for a tensor.
    private const int MaximumOperations = 4_000_000;
    private const int MaximumMarks = 200;
    private const int MaximumTupleDepth = 32;

    private readonly PickleBytes _input;
    private readonly IPickleGlobals _globals;
    private readonly string _path;
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<uint, object?> _memo = [];

    public PickleReader(byte[] bytes, int start, int length, IPickleGlobals globals, string path)
    {
        _input = new PickleBytes(bytes, start, length, path);
        _globals = globals;
        _path = path;
    }

    /// <summary>The position after what was read.</summary>
    public int Position => _input.Position;

    /// <summary>True when reading failed because the bytes ended.</summary>
    public bool RanOut => _input.RanOut;

    /// <summary>Reads one pickle, to its STOP.</summary>
    /// <exception cref="AdapterFormatException">The bytes are no pickle of the kind that torch writes.</exception>
    /// <exception cref="Adapters.ConversionRefusedException">The pickle names a foreign global.</exception>
    public object? Read()
    {
        for (int operation = 0; operation < MaximumOperations; operation++)
        {
            byte code = _input.Take(1)[0];
            if (code == '.')
            {
                return Pop();
            }

            Execute(code);
        }

        throw _input.Damaged($"has more than {MaximumOperations} operations");
    }

    private void Execute(byte code)
    {
        switch (code)
        {
            case 0x80: // PROTO
                if (_input.Take(1)[0] is 0 or > 5)
                {
                    throw _input.Damaged("has an unknown protocol");
                }

                break;
            case 0x95: // FRAME: a hint of how far to read ahead, of no use here
                _input.Take(8);
                break;
            case (byte)'(':
                if (_marks.Count == MaximumMarks)
                {
                    throw _input.Damaged($"nests deeper than {MaximumMarks}");
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
                _memo[code == 'q' ? _input.Take(1)[0] : BinaryPrimitives.ReadUInt32LittleEndian(_input.Take(4))] = Peek();
                break;
            case 0x94: // MEMOIZE
                _memo[(uint)_memo.Count] = Peek();
                break;
            case (byte)'h' or (byte)'j':
                uint index = code == 'h' ? _input.Take(1)[0] : BinaryPrimitives.ReadUInt32LittleEndian(_input.Take(4));
                _stack.Add(_memo.TryGetValue(index, out object? remembered) ? remembered : throw _input.Damaged("recalls what it never stored"));
                break;
            default:
                if (!TryScalar(code) && !TryContainer(code) && !TryObject(code))
                {
                    throw _input.Damaged($"uses the operation 0x{code:x2}, which torch does not write");
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
                value = (long)_input.Take(1)[0];
                break;
            case (byte)'M':
                value = (long)BinaryPrimitives.ReadUInt16LittleEndian(_input.Take(2));
                break;
            case (byte)'J':
                value = (long)BinaryPrimitives.ReadInt32LittleEndian(_input.Take(4));
                break;
            case 0x8a: // LONG1: two's complement of any width; only torch's own magic number is wider than 64 bits
                var number = new BigInteger(_input.Take(_input.Take(1)[0]));
                value = number >= long.MinValue && number <= long.MaxValue ? (long)number : number;
                break;
            case (byte)'G':
                value = BinaryPrimitives.ReadDoubleBigEndian(_input.Take(8));
                break;
            case 0x8c:
                value = _input.Text(_input.Take(1)[0]);
                break;
            case (byte)'X':
                value = _input.Text(BinaryPrimitives.ReadUInt32LittleEndian(_input.Take(4)));
                break;
            case 0x8d:
                value = _input.Text(BinaryPrimitives.ReadUInt64LittleEndian(_input.Take(8)));
                break;
            case (byte)'U': // SHORT_BINSTRING, Python 2
                value = _input.Text(_input.Take(1)[0]);
                break;
            case (byte)'C':
                value = _input.Take(_input.Take(1)[0]).ToArray();
                break;
            case (byte)'B':
                uint length = BinaryPrimitives.ReadUInt32LittleEndian(_input.Take(4));
                value = length <= PickleBytes.MaximumText ? _input.Take((int)length).ToArray() : throw _input.Damaged("holds an oversized byte string");
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

    private void PushTuple(object?[] items)
    {
        var tuple = new PickleTuple(items);
        _stack.Add(tuple.Depth <= MaximumTupleDepth ? tuple : throw _input.Damaged($"nests tuples deeper than {MaximumTupleDepth}"));
    }

    private void SetItems(object?[] items)
    {
        PickleDictionary dictionary = Peek<PickleDictionary>();
        if (items.Length % 2 != 0)
        {
            throw _input.Damaged("sets a key without a value");
        }

        for (int i = 0; i < items.Length; i += 2)
        {
            dictionary.Add(items[i] ?? throw _input.Damaged("uses None as a key"), items[i + 1]);
        }
    }

    private object? Pop()
    {
        object? value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    // A mark may not be looked under: what lies below it belongs to an unfinished container.
    private object? Peek() => _stack.Count > (_marks.Count > 0 ? _marks[^1] : 0) ? _stack[^1] : throw _input.Damaged("takes a value that is not there");

    private T Peek<T>()
        where T : class => Peek() as T ?? throw _input.Damaged("adds items to something that holds none");

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
            throw _input.Damaged("closes what it did not open");
        }

        int mark = _marks[^1];
        _marks.RemoveAt(_marks.Count - 1);
        object?[] items = [.. _stack[mark..]];
        _stack.RemoveRange(mark, items.Length);
        return items;
    }
}
