using System.Text.Json;
using Sway.Conversion;

namespace Sway.Caching;

/// <summary>One file of a cached conversion.</summary>
/// <param name="Name">Its name in the entry's folder.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Digest">SHA-256 as hexadecimal digits.</param>
internal sealed record ManifestFile(string Name, long Length, string Digest);

/// <summary>What a cached conversion holds and where it came from.</summary>
/// <param name="Result">What the conversion reported.</param>
/// <param name="Files">The files and their digests.</param>
internal sealed record ConversionManifest(AdapterConversionResult Result, IReadOnlyList<ManifestFile> Files)
{
    /// <summary>The manifest's file name in an entry.</summary>
    public const string FileName = "manifest";

    /// <summary>The name of the adapter's folder in an entry.</summary>
    public const string AdapterFolder = "adapter";

    /// <summary>Reads the manifest of an entry; null when it is absent or damaged.</summary>
    public static ConversionManifest? Read(string entry)
    {
        if (SealedRecord.Read(Path.Combine(entry, FileName)) is not { } payload)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(payload.Span, CacheJson.Default.ConversionManifest);
        }
        catch (JsonException)
        {
            // Sealed by another version with other fields: as good as none.
            return null;
        }
    }

    /// <summary>Describes a finished adapter folder.</summary>
    public static ConversionManifest Describe(AdapterConversionResult result, string folder, FileDigests digests, CancellationToken cancellationToken) => new(
        result,
        [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(path =>
            new ManifestFile(Path.GetFileName(path), new FileInfo(path).Length, digests.Of(path, cancellationToken)))]);

    /// <summary>Writes the manifest into an entry that is being made.</summary>
    public void Write(string entry)
    {
        byte[] payload = JsonSerializer.SerializeToUtf8Bytes(this, CacheJson.Default.ConversionManifest);
        IO.AtomicFile.WriteNew(Path.Combine(entry, FileName), SealedRecord.Seal(payload));
    }

    /// <summary>Why the entry's files are not what the manifest says; null when they are.</summary>
    /// <param name="entry">The entry's folder.</param>
    /// <param name="digests">Remembered digests, or null to read every byte.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    public string? Problem(string entry, FileDigests? digests, CancellationToken cancellationToken)
    {
        string folder = Path.Combine(entry, AdapterFolder);
        if (!Directory.Exists(folder))
        {
            return "the adapter's folder is missing";
        }

        // Another weights file beside the right one would be read in its place; what a file manager drops there would not.
        string[] names = [.. Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path)).Where(name => !name.StartsWith('.'))];
        if (names.Except(Files.Select(file => file.Name), StringComparer.Ordinal).FirstOrDefault() is { } foreign)
        {
            return $"{foreign} does not belong to it";
        }

        foreach (ManifestFile file in Files)
        {
            string path = Path.Combine(folder, file.Name);
            if (!File.Exists(path))
            {
                return $"{file.Name} is missing";
            }

            if (new FileInfo(path).Length != file.Length || (digests?.Of(path, cancellationToken) ?? FileDigests.Compute(path, cancellationToken)) != file.Digest)
            {
                return $"{file.Name} is not what was written";
            }
        }

        return null;
    }
}
