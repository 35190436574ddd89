using System.Collections.Immutable;

namespace Sway.Tensors;

/// <summary>A file, or several that form one, of named tensors. Opening reads the header only.</summary>
public abstract class TensorFile : IDisposable
{
    private Dictionary<string, TensorInfo>? _byName;

    /// <summary>The path that was opened.</summary>
    public abstract string Path { get; }

    /// <summary>The tensors in the order of the file's header.</summary>
    public abstract IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>Free text that the file carries; empty when there is none.</summary>
    public virtual IReadOnlyDictionary<string, string> Metadata => ImmutableDictionary<string, string>.Empty;

    /// <summary>The size of all files together in bytes.</summary>
    public abstract long FileLength { get; }

    /// <summary>Finds a tensor by its exact name.</summary>
    public TensorInfo? Find(string name)
    {
        _byName ??= Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        return _byName.GetValueOrDefault(name);
    }

    /// <summary>The tensor as an expression; nothing is read until it is evaluated.</summary>
    public abstract TensorExpression Get(TensorInfo tensor);

    /// <summary>The tensor of that name as an expression.</summary>
    /// <exception cref="AdapterFormatException">The file has no such tensor.</exception>
    public TensorExpression Get(string name) => Get(
        Find(name) ?? throw new AdapterFormatException($"{Path} has no tensor {name}.") { Path = Path, Tensors = [name] });

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the files.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
