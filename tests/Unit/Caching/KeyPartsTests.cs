using Sway.Caching;

namespace Sway.Unit.Caching;

public sealed class KeyPartsTests
{
    [Fact]
    public void Lists_of_parts_that_differ_give_keys_that_differ()
    {
        Action<KeyParts>[] lists =
        [
            _ => { },
            key => key.Add("a", string.Empty),
            key => key.Add("a", (string?)null),
            key => key.Add("a", "b"),
            key => key.Add("ab", string.Empty),
            key => key.Add("a", "b").Add("c", "d"),
            key => key.Add("a", "bc").Add("d", string.Empty),
            key => key.Add("c", "d").Add("a", "b"),
            key => key.Add("a", 1L),
            key => key.Add("a", 1.0),
        ];
        lists.Select(Plain).Distinct(StringComparer.Ordinal).Count().ShouldBe(lists.Length);
        lists.Select(Digest).Distinct(StringComparer.Ordinal).Count().ShouldBe(lists.Length);
        lists.Select(Plain).ShouldBe(lists.Select(Plain));
        lists.Select(Digest).ShouldBe(lists.Select(Digest));
    }

    private static string Plain(Action<KeyParts> parts)
    {
        var key = new PlainKey();
        parts(key);
        return Convert.ToHexString(key.ToArray());
    }

    private static string Digest(Action<KeyParts> parts)
    {
        using var key = new ContentKey();
        parts(key);
        return key.Finish();
    }
}
