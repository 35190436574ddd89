using System.Text;

namespace Sway.IO;

/// <summary>Reads texts that are measured: what cannot be decoded is an error, for replaced characters would be measured silently.</summary>
public static class TextFile
{
    /// <summary>Reads a file in UTF-8, or in UTF-16 when a byte order mark says so; the mark is left out, line ends stay as they are.</summary>
    /// <exception cref="InputException">The bytes are not text in that encoding.</exception>
    public static string Read(string path)
    {
        var bytes = File.ReadAllBytes(path);
        (Encoding encoding, int mark) = bytes switch
        {
            [0xEF, 0xBB, 0xBF, ..] => (new UTF8Encoding(false, throwOnInvalidBytes: true), 3),
            [0xFF, 0xFE, ..] => (new UnicodeEncoding(bigEndian: false, byteOrderMark: false, throwOnInvalidBytes: true), 2),
            [0xFE, 0xFF, ..] => (new UnicodeEncoding(bigEndian: true, byteOrderMark: false, throwOnInvalidBytes: true), 2),
            _ => ((Encoding)new UTF8Encoding(false, throwOnInvalidBytes: true), 0),
        };
        try
        {
            return encoding.GetString(bytes, mark, bytes.Length - mark);
        }
        catch (DecoderFallbackException exception)
        {
            throw new InputException($"{path} is not text in UTF-8.", exception)
            {
                Path = path,
                Offset = exception.Index + mark,
                Remedy = "Save it as UTF-8.",
            };
        }
    }
}
