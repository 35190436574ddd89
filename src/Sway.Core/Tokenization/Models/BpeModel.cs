using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Models;

/// <summary>Byte-pair encoding over characters or, behind a ByteLevel pre-tokenizer, directly over bytes.</summary>
internal sealed class BpeModel : IModel
{
    private readonly BpeOptions _options;
    private readonly MergeTable _merges;
    private readonly byte[] _prefix;
    private readonly byte[] _suffix;
    private readonly int[] _byteTokens = new int[256];
    private readonly int[] _fallbackTokens = new int[256];
    private readonly int _unknown;
    private readonly bool _knowsAllBytes = true;

    public BpeModel(Vocabulary vocabulary, MergeTable merges, BpeOptions options)
    {
        Vocabulary = vocabulary;
        _merges = merges;
        _options = options;
        _prefix = System.Text.Encoding.UTF8.GetBytes(options.ContinuingPrefix ?? "");
        _suffix = System.Text.Encoding.UTF8.GetBytes(options.EndOfWordSuffix ?? "");
        _unknown = options.UnknownToken is { } unknown ? Find(unknown) : -1;
        for (var b = 0; b < 256; b++)
        {
            _byteTokens[b] = Find(ByteAlphabet.ToCharacter((byte)b).ToString());
            _fallbackTokens[b] = Find($"<0x{b:X2}>");
            _knowsAllBytes &= _byteTokens[b] >= 0 || b is 0xC0 or 0xC1 or >= 0xF5;
        }
    }

    public Vocabulary Vocabulary { get; }

    public bool IsBpe => true;

    // With a prefix, a suffix or byte fallback the characters of the alphabet matter one by one; and where bytes of the text
    // vanish for want of a token, the library's spans shift by the length of the alphabet's characters.
    public bool AcceptsByteLevel => _prefix.Length == 0 && _suffix.Length == 0 && !_options.ByteFallback
        && (_options.UnknownToken is not null || _knowsAllBytes);

    public bool ShowsPieceText(int id) => false;

    public void Tokenize(PipelineState state, Piece piece)
    {
        var word = state.Text.Bytes[piece.Start..piece.End];
        if (word.Length > WordCache.LongestWord)
        {
            Emit(state, piece, Encode(state, word));
            return;
        }

        var hash = Vocabulary.Hash(word);
        var tokens = state.Cache.Find(word, hash);
        if (tokens.IsEmpty)
        {
            tokens = Encode(state, word);
            state.Cache.Add(word, hash, tokens);
        }

        Emit(state, piece, tokens);
    }

    private static void Emit(PipelineState state, Piece piece, ReadOnlySpan<int> tokens)
    {
        var at = piece.Start;
        for (var i = 0; i < tokens.Length; i += 2)
        {
            // Byte tokens of a suffix stand for no bytes of the text.
            var end = Math.Min(at + tokens[i + 1], piece.End);
            at = Math.Min(at, end - 1);
            state.Tokens.Add(tokens[i], state.Text.OriginStart(at), state.Text.OriginEnd(end - 1));
            at = end;
        }
    }

    private ReadOnlySpan<int> Encode(PipelineState state, ReadOnlySpan<byte> word)
    {
        var scratch = state.Bpe;
        scratch.Clear();
        if (_options.IgnoreMerges && TryWhole(scratch, word, state.ByteLevel, out var whole))
        {
            scratch.Add(whole, word.Length);
            return scratch.Collect();
        }

        if (state.ByteLevel)
        {
            AddBytes(scratch, word);
        }
        else
        {
            AddCharacters(scratch, word);
        }

        scratch.Merge(_merges);
        return scratch.Collect();
    }

    private bool TryWhole(BpeScratch scratch, ReadOnlySpan<byte> word, bool byteLevel, out int id)
    {
        if (!byteLevel)
        {
            return Vocabulary.TryGetId(word, out id);
        }

        if (scratch.Buffer.Length < 2 * word.Length)
        {
            scratch.Buffer = new byte[4 * word.Length];
        }

        var used = 0;
        foreach (var b in word)
        {
            used += Utf8Text.Encode(ByteAlphabet.ToCharacter(b), scratch.Buffer.AsSpan(used));
        }

        return Vocabulary.TryGetId(scratch.Buffer.AsSpan(0, used), out id);
    }

    private void AddBytes(BpeScratch scratch, ReadOnlySpan<byte> word)
    {
        var pending = 0;
        foreach (var b in word)
        {
            if (_byteTokens[b] >= 0)
            {
                Flush(scratch, ref pending);
                scratch.Add(_byteTokens[b], 1);
            }
            else
            {
                AddUnknown(scratch, ref pending, 1);
            }
        }

        Flush(scratch, ref pending);
    }

    private void AddCharacters(BpeScratch scratch, ReadOnlySpan<byte> word)
    {
        var pending = 0;
        for (var at = 0; at < word.Length;)
        {
            var length = Utf8Text.LengthOf(word[at]);
            var symbol = Decorate(scratch, word, at, length);
            if (Vocabulary.TryGetId(symbol, out var id))
            {
                Flush(scratch, ref pending);
                scratch.Add(id, length);
            }
            else if (!_options.ByteFallback || !TryFallback(scratch, symbol))
            {
                AddUnknown(scratch, ref pending, length);
            }

            at += length;
        }

        Flush(scratch, ref pending);
    }

    /// <summary>The character as the vocabulary writes it: with the prefix unless first, with the suffix if last.</summary>
    private ReadOnlySpan<byte> Decorate(BpeScratch scratch, ReadOnlySpan<byte> word, int at, int length)
    {
        var prefixed = at > 0 && _prefix.Length > 0;
        var suffixed = at + length == word.Length && _suffix.Length > 0;
        if (!prefixed && !suffixed)
        {
            return word.Slice(at, length);
        }

        if (scratch.Buffer.Length < _prefix.Length + 4 + _suffix.Length)
        {
            scratch.Buffer = new byte[_prefix.Length + 4 + _suffix.Length];
        }

        var used = 0;
        if (prefixed)
        {
            _prefix.CopyTo(scratch.Buffer, 0);
            used = _prefix.Length;
        }

        word.Slice(at, length).CopyTo(scratch.Buffer.AsSpan(used));
        used += length;
        if (suffixed)
        {
            _suffix.CopyTo(scratch.Buffer, used);
            used += _suffix.Length;
        }

        return scratch.Buffer.AsSpan(0, used);
    }

    // An unknown that waits to be fused stays behind the byte tokens, as in the library.
    private bool TryFallback(BpeScratch scratch, ReadOnlySpan<byte> symbol)
    {
        foreach (var b in symbol)
        {
            if (_fallbackTokens[b] < 0)
            {
                return false;
            }
        }

        foreach (var b in symbol)
        {
            scratch.Add(_fallbackTokens[b], 1);
        }

        return true;
    }

    private void AddUnknown(BpeScratch scratch, ref int pending, int length)
    {
        if (_options.UnknownToken is null)
        {
            return;
        }

        if (_unknown < 0)
        {
            throw new TokenizationException($"The unknown token '{_options.UnknownToken}' is not in the vocabulary, and the text needs it.");
        }

        if (!_options.FuseUnknown)
        {
            Flush(scratch, ref pending);
        }

        pending += length;
    }

    private void Flush(BpeScratch scratch, ref int pending)
    {
        if (pending > 0)
        {
            scratch.Add(_unknown, pending);
            pending = 0;
        }
    }

    private int Find(string text) => Vocabulary.TryGetId(System.Text.Encoding.UTF8.GetBytes(text), out var id) ? id : -1;
}
