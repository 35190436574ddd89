using System.Text.Json;
using Sway.Tokenization.Models;

namespace Sway.Tokenization.Loading;

/// <summary>Reads vocabularies and merges straight from the bytes of the file.</summary>
internal static class VocabularyReader
{
    public static Vocabulary ReadObject(ref Utf8JsonReader reader)
    {
        var vocabulary = new Vocabulary(4096, 1 << 15);
        var buffer = new byte[256];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var text = TextOf(ref reader, ref buffer, 0);
            // The buffer or the file keeps the bytes while the reader moves on to the number.
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out var id) || id < 0)
            {
                throw JsonFields.Wrong("vocab", "a map of tokens to ids");
            }

            vocabulary.Add(text, id);
        }

        return vocabulary;
    }

    public static (Vocabulary Vocabulary, List<double> Scores) ReadList(ref Utf8JsonReader reader)
    {
        var vocabulary = new Vocabulary(4096, 1 << 15);
        var scores = new List<double>();
        var buffer = new byte[256];
        while (reader.Read() && reader.TokenType == JsonTokenType.StartArray)
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.String)
            {
                throw JsonFields.Wrong("vocab", "a list of tokens with scores");
            }

            var text = TextOf(ref reader, ref buffer, 0);
            if (!reader.Read() || reader.TokenType != JsonTokenType.Number)
            {
                throw JsonFields.Wrong("vocab", "a list of tokens with scores");
            }

            vocabulary.Add(text, scores.Count);
            scores.Add(reader.GetDouble());
            if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray)
            {
                throw JsonFields.Wrong("vocab", "a list of tokens with scores");
            }
        }

        return reader.TokenType == JsonTokenType.EndArray
            ? (vocabulary, scores)
            : throw JsonFields.Wrong("vocab", "a list of tokens with scores");
    }

    /// <summary>Reads merges in one of their two forms; a mixture is refused, and so is a merge outside the vocabulary.</summary>
    public static MergeTable ReadMerges(ref Utf8JsonReader reader, Vocabulary vocabulary, int prefixLength)
    {
        var table = new MergeTable(vocabulary.Count + (vocabulary.Count / 4));
        var capacity = vocabulary.Count + (vocabulary.Count / 4);
        var pairs = new List<(int Left, int Right, int Merged)>();
        var buffer = new byte[1024];
        JsonTokenType? form = null;
        var rank = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            form ??= reader.TokenType;
            if (form != reader.TokenType || form is not (JsonTokenType.String or JsonTokenType.StartArray))
            {
                throw JsonFields.Wrong("merges", "a list of one form");
            }

            int leftLength, rightLength;
            if (form == JsonTokenType.String)
            {
                var text = TextOf(ref reader, ref buffer, 0);
                if (text.StartsWith("#version"u8))
                {
                    continue;
                }

                leftLength = text.IndexOf((byte)' ');
                if (leftLength < 0 || text[(leftLength + 1)..].Contains((byte)' '))
                {
                    throw JsonFields.Wrong("merges", "a list of two parts with one space between");
                }

                rightLength = text.Length - leftLength - 1;
                Reserve(ref buffer, text.Length);
                text[..leftLength].CopyTo(buffer);
                text[(leftLength + 1)..].CopyTo(buffer.AsSpan(leftLength));
            }
            else
            {
                leftLength = ReadPart(ref reader, ref buffer, 0);
                rightLength = ReadPart(ref reader, ref buffer, leftLength);
                if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray)
                {
                    throw JsonFields.Wrong("merges", "a list of pairs");
                }
            }

            var merge = Resolve(vocabulary, buffer, leftLength, rightLength, prefixLength);
            if (rank < capacity)
            {
                table.Set(merge.Left, merge.Right, rank, merge.Merged);
            }

            pairs.Add(merge);
            rank++;
        }

        if (rank <= capacity)
        {
            return table;
        }

        // More merges than the table was made for: some vocabularies have two for each token.
        table = new MergeTable(rank);
        for (var i = 0; i < rank; i++)
        {
            table.Set(pairs[i].Left, pairs[i].Right, i, pairs[i].Merged);
        }

        return table;
    }

    private static (int Left, int Right, int Merged) Resolve(
        Vocabulary vocabulary, byte[] buffer, int leftLength, int rightLength, int prefixLength)
    {
        var left = Find(vocabulary, buffer.AsSpan(0, leftLength));
        var right = Find(vocabulary, buffer.AsSpan(leftLength, rightLength));
        if (prefixLength > 0)
        {
            if (rightLength < prefixLength)
            {
                throw new TokenizationException("A merge is shorter than the continuing_subword_prefix.");
            }

            buffer.AsSpan(leftLength + prefixLength, rightLength - prefixLength).CopyTo(buffer.AsSpan(leftLength));
        }

        return (left, right, Find(vocabulary, buffer.AsSpan(0, leftLength + rightLength - prefixLength)));
    }

    private static int Find(Vocabulary vocabulary, ReadOnlySpan<byte> text) => vocabulary.TryGetId(text, out var id)
        ? id
        : throw new TokenizationException($"The merge token '{System.Text.Encoding.UTF8.GetString(text)}' is out of the vocabulary.");

    private static int ReadPart(ref Utf8JsonReader reader, ref byte[] buffer, int offset)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.String)
        {
            throw JsonFields.Wrong("merges", "a list of pairs");
        }

        if (reader.ValueIsEscaped)
        {
            Reserve(ref buffer, offset + reader.ValueSpan.Length);
            return reader.CopyString(buffer.AsSpan(offset));
        }

        Reserve(ref buffer, offset + reader.ValueSpan.Length);
        reader.ValueSpan.CopyTo(buffer.AsSpan(offset));
        return reader.ValueSpan.Length;
    }

    private static ReadOnlySpan<byte> TextOf(ref Utf8JsonReader reader, ref byte[] buffer, int offset)
    {
        if (!reader.ValueIsEscaped)
        {
            return reader.ValueSpan;
        }

        Reserve(ref buffer, offset + reader.ValueSpan.Length);
        return buffer.AsSpan(offset, reader.CopyString(buffer.AsSpan(offset)));
    }

    private static void Reserve(ref byte[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            Array.Resize(ref buffer, 2 * length);
        }
    }
}
