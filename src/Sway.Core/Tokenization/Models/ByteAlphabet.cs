namespace Sway.Tokenization.Models;

/// <summary>GPT-2's printable stand-ins for bytes: printable Latin-1 stands for itself, the rest from U+0100 on.</summary>
internal static class ByteAlphabet
{
    private static readonly char[] s_characters = Build();
    private static readonly Dictionary<char, byte> s_bytes =
        s_characters.Select((c, b) => (c, b)).ToDictionary(p => p.c, p => (byte)p.b);

    public static char ToCharacter(byte value) => s_characters[value];

    public static bool TryToByte(int codePoint, out byte value)
    {
        value = 0;
        return codePoint <= char.MaxValue && s_bytes.TryGetValue((char)codePoint, out value);
    }

    /// <summary>Turns a token's text into the bytes it stands for; false when a character is not of the alphabet.</summary>
    public static bool TryToBytes(ReadOnlySpan<byte> text, Span<byte> target, out int written)
    {
        written = 0;
        for (var at = 0; at < text.Length;)
        {
            if (!TryToByte(Unicode.Utf8Text.Decode(text, at, out var length), out target[written]))
            {
                return false;
            }

            at += length;
            written++;
        }

        return true;
    }

    private static char[] Build()
    {
        var table = new char[256];
        var next = (char)256;
        for (var b = 0; b < 256; b++)
        {
            table[b] = b is (>= 33 and <= 126) or (>= 161 and <= 172) or (>= 174 and <= 255) ? (char)b : next++;
        }

        return table;
    }
}
