using System.Globalization;
using Sway.Tokenization.Models;
using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Normalization;

/// <summary>NFC, NFD, NFKC, NFKD.</summary>
internal sealed class UnicodeNormalizer(bool compose, bool compatibility) : INormalizer
{
    // ASCII is stable under all forms; composed Latin-1 and its neighbours only under NFC.
    public bool Leaves(ReadOnlySpan<byte> text) =>
        compose && !compatibility ? Normalizer.IsPlainNfc(text) : text.IndexOfAnyExceptInRange((byte)0, (byte)127) < 0;

    public void Normalize(AlignedText source, AlignedText target)
    {
        var edits = Normalizer.Decompose(source.Bytes, compatibility);
        target.AppendEdited(source, 0, source.Length, compose ? Normalizer.Compose(edits) : edits, 0);
    }
}

/// <summary>Steps that look at one character at a time: kept, changed, dropped or turned into several.</summary>
internal abstract class CharacterNormalizer : INormalizer
{
    public void Normalize(AlignedText source, AlignedText target)
    {
        var text = source.Bytes;
        for (var at = 0; at < text.Length;)
        {
            var codePoint = Utf8Text.Decode(text, at, out var length);
            Map(codePoint, target, source.OriginStart(at), source.OriginEnd(at + length - 1));
            at += length;
        }
    }

    /// <summary>Appends what becomes of a code point whose original bytes are given.</summary>
    protected abstract void Map(int codePoint, AlignedText target, int originStart, int originEnd);
}

internal sealed class LowercaseNormalizer : CharacterNormalizer
{
    protected override void Map(int codePoint, AlignedText target, int originStart, int originEnd)
    {
        if (codePoint == 0x130)
        {
            // The one letter whose lower case has two code points.
            target.Append('i', originStart, originEnd);
            target.Append(0x307, originStart, originEnd);
            return;
        }

        target.Append(Casing.ToLower(codePoint), originStart, originEnd);
    }
}

internal sealed class StripAccentsNormalizer : CharacterNormalizer
{
    protected override void Map(int codePoint, AlignedText target, int originStart, int originEnd)
    {
        if (codePoint < 0x300 || !CodePointSets.Mark.Contains(codePoint))
        {
            target.Append(codePoint, originStart, originEnd);
        }
    }
}

/// <summary>Nmt: controls are dropped, odd spaces become spaces.</summary>
internal sealed class NmtNormalizer : CharacterNormalizer
{
    protected override void Map(int codePoint, AlignedText target, int originStart, int originEnd)
    {
        if (codePoint is (>= 0x1 and <= 0x8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or 0x8F or 0x9F)
        {
            return;
        }

        var isSpace = codePoint is 0x9 or 0xA or 0xC or 0xD or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029
            or 0x2581 or 0xFEFF or 0xFFFD;
        target.Append(isSpace ? ' ' : codePoint, originStart, originEnd);
    }
}

/// <summary>The byte alphabet applied as a normalizer.</summary>
internal sealed class ByteLevelNormalizer : CharacterNormalizer
{
    protected override void Map(int codePoint, AlignedText target, int originStart, int originEnd)
    {
        Span<byte> bytes = stackalloc byte[4];
        foreach (var b in bytes[..Utf8Text.Encode(codePoint, bytes)])
        {
            target.Append(ByteAlphabet.ToCharacter(b), originStart, originEnd);
        }
    }
}

/// <summary>BERT's cleaning, spaces around Chinese characters, accent stripping and lower case, each if asked for.</summary>
internal sealed class BertNormalizer(bool cleanText, bool spaceChinese, bool stripAccents, bool lowercase) : INormalizer
{
    public void Normalize(AlignedText source, AlignedText target)
    {
        var steps = new List<INormalizer>();
        if (cleanText || spaceChinese)
        {
            steps.Add(new CleanStep(cleanText, spaceChinese));
        }

        if (stripAccents)
        {
            steps.Add(new UnicodeNormalizer(compose: false, compatibility: false));
            steps.Add(new DropNonSpacingStep());
        }

        if (lowercase)
        {
            steps.Add(new LowercaseNormalizer());
        }

        new NormalizerSequence(steps).Normalize(source, target);
    }

    private sealed class CleanStep(bool clean, bool spaceChinese) : CharacterNormalizer
    {
        protected override void Map(int codePoint, AlignedText target, int originStart, int originEnd)
        {
            if (clean)
            {
                var space = CodePoints.IsWhiteSpace(codePoint);
                var layout = codePoint is '\t' or '\n' or '\r';
                if (codePoint is 0 or 0xFFFD || (!layout && IsControl(codePoint)))
                {
                    return;
                }

                codePoint = space ? ' ' : codePoint;
            }

            if (spaceChinese && IsChinese(codePoint))
            {
                target.Append(' ', originStart, originEnd);
                target.Append(codePoint, originStart, originEnd);
                target.Append(' ', originStart, originEnd);
                return;
            }

            target.Append(codePoint, originStart, originEnd);
        }

        // The library's "other" knows assigned categories only, so unassigned code points stay.
        private static bool IsControl(int codePoint) =>
            CodePoints.Category(codePoint) is (int)UnicodeCategory.Control or (int)UnicodeCategory.PrivateUse
            || (codePoint >= 0x80 && CodePointSets.Format.Contains(codePoint));

        private static bool IsChinese(int c) => c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF)
            or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F)
            or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
    }

    private sealed class DropNonSpacingStep : CharacterNormalizer
    {
        protected override void Map(int codePoint, AlignedText target, int originStart, int originEnd)
        {
            if (codePoint < 0x300 || !CodePointSets.NonSpacingMark.Contains(codePoint))
            {
                target.Append(codePoint, originStart, originEnd);
            }
        }
    }
}
