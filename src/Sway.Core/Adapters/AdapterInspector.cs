namespace Sway.Adapters;

/// <summary>Describes adapters without loading weights.</summary>
public static class AdapterInspector
{
    /// <summary>Describes one adapter.</summary>
    /// <param name="path">A folder, or a weights file in it.</param>
    /// <param name="detailed">True to list the modules.</param>
    /// <param name="norms">True to read the weights and give each module's delta norm (implies the list).</param>
    /// <param name="adapterName">Which adapter of several.</param>
    /// <param name="cancellationToken">Stops between modules.</param>
    public static LoraAdapterInfo Inspect(
        string path, bool detailed = false, bool norms = false, string? adapterName = null, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("Arrives with the readers.");
}
