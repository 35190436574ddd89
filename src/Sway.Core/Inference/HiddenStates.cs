namespace Sway.Inference;

/// <summary>Hidden states of a batch: row = view * tokens + token, in tensors of neighbouring rows one after the other.</summary>
public sealed class HiddenStates : IDisposable
{
    private readonly EngineTensor[] _parts;

    /// <param name="parts">The tensors, which belong to the new object.</param>
    internal HiddenStates(IEnumerable<EngineTensor> parts)
    {
        _parts = [.. parts];
    }

    /// <summary>The tensors in the order of their rows.</summary>
    public IReadOnlyList<EngineTensor> Parts => _parts;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var part in _parts)
        {
            part.Dispose();
        }
    }
}
