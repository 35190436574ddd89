namespace Sway.Adapters;

/// <summary>Collects refusals, joining those of one reason so that every tensor is listed once under it.</summary>
internal sealed class RefusalList
{
    private readonly List<Item> _items = [];

    public bool IsEmpty => _items.Count == 0;

    public void Add(RefusalCategory category, string reason, params IEnumerable<string> modules) => Add(category, reason, null, modules);

    public void Add(Refusal refusal) => Add(refusal.Category, refusal.Reason, refusal.Remedy, refusal.Modules);

    public void AddWithRemedy(RefusalCategory category, string reason, string remedy, params IEnumerable<string> modules) =>
        Add(category, reason, remedy, modules);

    public List<Refusal> ToList() => IsEmpty ? [] : [.. _items.Select(item => new Refusal(item.Category, item.Reason)
    {
        Remedy = item.Remedy,
        Modules = [.. item.Modules.Distinct(StringComparer.Ordinal)],
    })];

    private void Add(RefusalCategory category, string reason, string? remedy, IEnumerable<string> modules)
    {
        int at = _items.FindIndex(item => item.Category == category && item.Reason == reason);
        if (at < 0)
        {
            _items.Add(new Item(category, reason, remedy, [.. modules]));
        }
        else
        {
            _items[at].Modules.AddRange(modules);
        }
    }

    private sealed record Item(RefusalCategory Category, string Reason, string? Remedy, List<string> Modules);
}
