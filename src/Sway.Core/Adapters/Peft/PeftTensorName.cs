namespace Sway.Adapters.Peft;

/// <summary>The role of a tensor in a PEFT file.</summary>
internal enum PeftRole
{
    Unknown,
    A,
    B,
    E,
    BBias,
    EmbeddingA,
    EmbeddingB,
    Magnitude,
    HadamardFactor,
    Diagonal,
    TokenRows,
    BaseCopy,
    FullWeight,
    Bias,
    Buffer,
}

/// <summary>Names of roles, without the reflection that an enum's own take.</summary>
internal static class PeftRoleNames
{
    /// <summary>The role's name as it is written above.</summary>
    public static string Key(this PeftRole role) => role switch
    {
        PeftRole.A => nameof(PeftRole.A),
        PeftRole.B => nameof(PeftRole.B),
        PeftRole.E => nameof(PeftRole.E),
        PeftRole.EmbeddingA => nameof(PeftRole.EmbeddingA),
        PeftRole.EmbeddingB => nameof(PeftRole.EmbeddingB),
        PeftRole.Magnitude => nameof(PeftRole.Magnitude),
        _ => role.ToString(),
    };
}

/// <summary>A PEFT tensor name taken apart: module path, role, adapter name. Only whole parts are compared, never text within one.</summary>
/// <param name="Path">The module's path without PEFT's and wrappers' prefixes.</param>
/// <param name="Role">What the tensor is.</param>
/// <param name="Adapter">The adapter's name where the key carries one, else null.</param>
/// <param name="Leaf">The last parts, for roles that need them (hada_w1_a).</param>
internal sealed record PeftTensorName(string Path, PeftRole Role, string? Adapter, string Leaf)
{
    public static PeftTensorName Parse(string name)
    {
        if (name.Length == 0 || HasControl(name))
        {
            return new PeftTensorName(name, PeftRole.Unknown, null, "");
        }

        var parts = new List<string>(12);
        foreach (string part in name.Split('.'))
        {
            // What compiling and sharding wrap around a module.
            if (part is not ("_orig_mod" or "_fsdp_wrapped_module" or "_checkpoint_wrapped_module"))
            {
                parts.Add(part);
            }
        }

        if (parts is ["module", _, _, ..])
        {
            parts.RemoveAt(0);
        }

        if (parts is ["base_model", "model", _, ..])
        {
            parts.RemoveRange(0, 2);
        }

        int at = parts.FindIndex(IsMarker);
        return at > 0 ? FromMarker(parts, at) : FromPlain(parts);
    }

    /// <summary>The parameter-wrapper nesting of experts: the number of <c>base_layer</c> parts at the path's end.</summary>
    public static string StripNesting(string path, out int depth)
    {
        depth = 0;
        const string Suffix = ".base_layer";
        while (path.EndsWith(Suffix, StringComparison.Ordinal))
        {
            path = path[..^Suffix.Length];
            depth++;
        }

        return path;
    }

    private static bool IsMarker(string part) => part is "lora_A" or "lora_B" or "lora_E" or "lora_embedding_A" or "lora_embedding_B"
        or "lora_magnitude_vector" or "lora_diag" or "hada_w1_a" or "hada_w1_b" or "hada_w2_a" or "hada_w2_b" or "hada_t1" or "hada_t2"
        or "token_adapter" or "modules_to_save" or "original_module" or "ranknum" || part.StartsWith("lora_velora", StringComparison.Ordinal)
        || part.StartsWith("lora_monteclora", StringComparison.Ordinal);

    private static PeftTensorName FromMarker(List<string> parts, int at)
    {
        string path = string.Join('.', parts.GetRange(0, at));
        string marker = parts[at];
        string[] rest = [.. parts.GetRange(at + 1, parts.Count - at - 1)];
        PeftTensorName Named(PeftRole role, string? adapter) => new(path, role, adapter, marker);
        if (marker.StartsWith("lora_velora", StringComparison.Ordinal) || marker.StartsWith("lora_monteclora", StringComparison.Ordinal) || marker == "ranknum")
        {
            return Named(PeftRole.Buffer, null);
        }

        return (marker, rest) switch
        {
            ("lora_A", ["weight"] or []) => Named(PeftRole.A, null),
            ("lora_A", [var name, "weight"]) => Named(PeftRole.A, name),
            ("lora_A", [var name]) => Named(PeftRole.A, name),
            ("lora_B", ["weight"] or []) => Named(PeftRole.B, null),
            ("lora_B", ["bias"]) => Named(PeftRole.BBias, null),
            ("lora_B", [var name, "weight"]) => Named(PeftRole.B, name),
            ("lora_B", [var name, "bias"]) => Named(PeftRole.BBias, name),
            ("lora_B", [var name]) => Named(PeftRole.B, name),
            ("lora_E", []) => Named(PeftRole.E, null),
            ("lora_E", [var name]) => Named(PeftRole.E, name),
            ("lora_embedding_A", []) => Named(PeftRole.EmbeddingA, null),
            ("lora_embedding_A", [var name]) => Named(PeftRole.EmbeddingA, name),
            ("lora_embedding_B", []) => Named(PeftRole.EmbeddingB, null),
            ("lora_embedding_B", [var name]) => Named(PeftRole.EmbeddingB, name),
            ("lora_magnitude_vector", [] or ["weight"]) => Named(PeftRole.Magnitude, null),
            ("lora_magnitude_vector", [var name]) => Named(PeftRole.Magnitude, name),
            ("lora_magnitude_vector", [var name, "weight"]) => Named(PeftRole.Magnitude, name),
            ("lora_diag", []) => Named(PeftRole.Diagonal, null),
            ("lora_diag", [var name]) => Named(PeftRole.Diagonal, name),
            ("token_adapter", ["trainable_tokens_delta"]) => Named(PeftRole.TokenRows, null),
            ("token_adapter", ["trainable_tokens_delta", var name]) => Named(PeftRole.TokenRows, name),
            ("token_adapter", ["base_layer", "weight" or "bias"]) => Named(PeftRole.BaseCopy, null),
            ("modules_to_save", [var name, "weight" or "bias"]) => new(path, PeftRole.FullWeight, name, rest[^1]),
            ("original_module", ["weight" or "bias"]) => new(path, PeftRole.BaseCopy, null, rest[^1]),
            (_, [] or [_]) when marker.StartsWith("hada_", StringComparison.Ordinal) => new(path, PeftRole.HadamardFactor, rest is [var of] ? of : null, marker),
            _ => new(string.Join('.', parts), PeftRole.Unknown, null, marker),
        };
    }

    private static bool HasControl(string name)
    {
        foreach (char c in name)
        {
            if (char.IsControl(c))
            {
                return true;
            }
        }

        return false;
    }

    private static PeftTensorName FromPlain(List<string> parts)
    {
        string leaf = parts[^1];
        if (parts.Count < 2 || leaf is not ("weight" or "bias"))
        {
            return new PeftTensorName(string.Join('.', parts), PeftRole.Unknown, null, leaf);
        }

        parts.RemoveAt(parts.Count - 1);
        if (parts.Count > 1 && parts[^1] == "base_layer")
        {
            parts.RemoveAt(parts.Count - 1);
            return new PeftTensorName(string.Join('.', parts), leaf == "weight" ? PeftRole.BaseCopy : PeftRole.Bias, "base_layer", leaf);
        }

        return new PeftTensorName(string.Join('.', parts), leaf == "weight" ? PeftRole.FullWeight : PeftRole.Bias, null, leaf);
    }
}
