namespace Sway.Tensors.Torch;

/// <summary>A class or function that a pickle names. Only those of an allow-list exist; none is ever looked up or called.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public bool Is(string module, string name) => Module == module && Name == name;

    public override string ToString() => $"{Module}.{Name}";
}

/// <summary>What a pickle would have called or constructed: the name, the arguments and the state, as plain data.</summary>
internal sealed class PickleInstance(PickleGlobal type, PickleTuple arguments)
{
    public PickleGlobal Type => type;

    public PickleTuple Arguments => arguments;

    /// <summary>The operand of BUILD; null when there was none.</summary>
    public object? State { get; set; }

    /// <summary>A field of a state that is a dictionary; null when it is absent, as dataclass defaults are.</summary>
    public object? Field(string name) => (State as PickleDictionary)?.Find(name);
}

internal sealed class PickleTuple(object?[] items)
{
    public static PickleTuple Empty { get; } = new([]);

    public object?[] Items => items;

    /// <summary>How deep tuples nest: 1 for a tuple of scalars.</summary>
    public int Depth { get; } = 1 + items.Select(static item => (item as PickleTuple)?.Depth ?? 0).DefaultIfEmpty().Max();
}

internal sealed class PickleList
{
    public List<object?> Items { get; } = [];
}

/// <summary>A dictionary as pairs in order: keys may be objects, which have no equality here.</summary>
internal sealed class PickleDictionary
{
    private static readonly List<KeyValuePair<object, object?>> s_none = [];

    private List<KeyValuePair<object, object?>>? _pairs;

    public IReadOnlyList<KeyValuePair<object, object?>> Pairs => _pairs ?? s_none;

    public void Add(object key, object? value) => (_pairs ??= []).Add(new(key, value));

    /// <summary>The value of a text key; the last one counts, as when Python builds the dictionary.</summary>
    public object? Find(string key)
    {
        for (int i = Pairs.Count - 1; i >= 0; i--)
        {
            if (Pairs[i].Key is string text && text == key)
            {
                return Pairs[i].Value;
            }
        }

        return null;
    }
}

/// <summary>An object outside the pickle, by the id that the writer gave it (torch: its storages).</summary>
internal sealed record PicklePersistent(object? Id);

/// <summary>The globals that a kind of file may name.</summary>
internal interface IPickleGlobals
{
    bool Allows(string module, string name);
}
