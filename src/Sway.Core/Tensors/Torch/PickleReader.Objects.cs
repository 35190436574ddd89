using Sway.Adapters;

namespace Sway.Tensors.Torch;

/// <summary>What a pickle would call or construct: checked against the allow-list and recorded, never called.</summary>
internal sealed partial class PickleReader
{
    private bool TryObject(byte code)
    {
        switch (code)
        {
            case (byte)'c':
                string module = _input.Line();
                PushGlobal(module, _input.Line());
                break;
            case 0x93: // STACK_GLOBAL
                object?[] names = TakeTop(2);
                PushGlobal(names[0] as string ?? throw _input.Damaged("names no module"), names[1] as string ?? throw _input.Damaged("names no class"));
                break;
            case (byte)'R' or 0x81: // REDUCE, NEWOBJ
                PickleTuple arguments = Pop() as PickleTuple ?? throw _input.Damaged("calls something without a tuple of arguments");
                PickleGlobal type = Pop() as PickleGlobal ?? throw _input.Damaged("calls something that is no global");
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
                        throw _input.Damaged("gives a state to something that has none");
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
        PickleList pairs = arguments.Items is [PickleList list] ? list : throw _input.Damaged("builds an OrderedDict of something else than pairs");
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
                throw _input.Damaged("builds an OrderedDict of something else than pairs");
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

    private static string Printable(string text) =>
        new([.. text.Take(80).Select(static c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)]);
}
