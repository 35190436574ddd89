namespace Sway.Tokenization;

/// <summary>Decodes ids as they arrive; the pieces it gives join to what decoding all ids at once gives.</summary>
public sealed class StreamDecoder
{
    // A character has at most four bytes, so a longer row of undecodable tokens is not half a character.
    private const int LongestWait = 16;

    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecial;
    private readonly List<int> _ids = [];
    private string _given = "";
    private int _givenCount;

    internal StreamDecoder(Tokenizer tokenizer, bool skipSpecial)
    {
        _tokenizer = tokenizer;
        _skipSpecial = skipSpecial;
    }

    /// <summary>Takes the next id and gives the text that is certain now; empty while a character is incomplete.</summary>
    public string Add(int id)
    {
        _ids.Add(id);
        var text = Decode();
        var incomplete = text.EndsWith('\uFFFD') && _ids.Count - _givenCount < LongestWait;
        if (incomplete || text.Length <= _given.Length || !text.StartsWith(_given, StringComparison.Ordinal))
        {
            return "";
        }

        var fresh = text[_given.Length..];

        // The tokens just given stay as context, since decoders treat the first token of a text differently.
        _ids.RemoveRange(0, _givenCount);
        _given = Decode();
        _givenCount = _ids.Count;
        return fresh;
    }

    /// <summary>Gives what is still held back, incomplete characters as U+FFFD.</summary>
    public string Finish()
    {
        var text = Decode();
        var rest = text.StartsWith(_given, StringComparison.Ordinal) ? text[_given.Length..] : "";
        _ids.Clear();
        _given = "";
        _givenCount = 0;
        return rest;
    }

    private string Decode() => _tokenizer.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_ids), _skipSpecial);
}
