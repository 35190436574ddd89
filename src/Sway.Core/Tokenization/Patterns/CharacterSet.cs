using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Patterns;

/// <summary>A set of code points of a regular expression: a union of members, perhaps intersected, folded or negated.</summary>
internal sealed class CharacterSet
{
    private readonly IReadOnlyList<Func<int, bool>> _members;
    private readonly IReadOnlyList<CharacterSet> _intersections;
    private readonly bool _negated;
    private readonly bool _ignoreCase;
    private readonly UInt128 _ascii;

    public CharacterSet(
        IReadOnlyList<Func<int, bool>> members,
        bool negated = false,
        bool ignoreCase = false,
        IReadOnlyList<CharacterSet>? intersections = null)
    {
        _members = members;
        _negated = negated;
        _ignoreCase = ignoreCase;
        _intersections = intersections ?? [];
        for (var c = 0; c < 128; c++)
        {
            if (Evaluate(c))
            {
                _ascii |= UInt128.One << c;
            }
        }
    }

    public static CharacterSet Of(int codePoint, bool ignoreCase)
    {
        var set = new CharacterSet([c => c == codePoint], ignoreCase: ignoreCase);
        return set;
    }

    public bool Contains(int codePoint) =>
        codePoint < 128 ? (_ascii >> codePoint & UInt128.One) != UInt128.Zero : Evaluate(codePoint);

    private bool Evaluate(int codePoint)
    {
        var inside = IsMember(codePoint);
        if (!inside && _ignoreCase)
        {
            foreach (var equivalent in Casing.Equivalents(codePoint))
            {
                inside |= IsMember(equivalent);
            }
        }

        return inside != _negated;
    }

    private bool IsMember(int codePoint)
    {
        var inside = false;
        for (var i = 0; i < _members.Count && !inside; i++)
        {
            inside = _members[i](codePoint);
        }

        for (var i = 0; i < _intersections.Count && inside; i++)
        {
            inside = _intersections[i].Contains(codePoint);
        }

        return inside;
    }
}
