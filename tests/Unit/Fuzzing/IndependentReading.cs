using System.Buffers.Binary;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Sway.Unit.Fuzzing;

/// <summary>
/// Reads a PEFT adapter and an mlx-lm adapter by the few rules that plain adapters need, with none of Sway's code, and compares their
/// deltas densely in float64.
/// </summary>
internal static partial class IndependentReading
{
    private const double Tolerance = 2e-6;

    /// <summary>Says where the output's deltas are not the source's; null when they are the same.</summary>
    public static string? Difference(string source, string output)
    {
        Dictionary<string, double[,]> want = Peft(source), got = Mlx(output);
        if (!want.Keys.Order(StringComparer.Ordinal).SequenceEqual(got.Keys.Order(StringComparer.Ordinal)))
        {
            return $"modules {string.Join(", ", want.Keys.Except(got.Keys).Take(3))} | {string.Join(", ", got.Keys.Except(want.Keys).Take(3))}";
        }

        foreach ((string module, double[,] expected) in want)
        {
            double[,] actual = got[module];
            if (expected.GetLength(0) != actual.GetLength(0) || expected.GetLength(1) != actual.GetLength(1))
            {
                return $"{module}: another shape";
            }

            double size = expected.Cast<double>().Select(Math.Abs).DefaultIfEmpty().Max();
            double worst = expected.Cast<double>().Zip(actual.Cast<double>(), (x, y) => Math.Abs(x - y)).DefaultIfEmpty().Max();
            if (!(worst <= (Tolerance * size) + 1e-37))
            {
                return FormattableString.Invariant($"{module}: off by {worst} of {size}");
            }
        }

        return null;
    }

    private static Dictionary<string, double[,]> Peft(string folder)
    {
        JsonElement config = Json(Path.Combine(folder, "adapter_config.json"));
        var factors = new Dictionary<string, (double[,]? A, double[,]? B)>(StringComparer.Ordinal);
        foreach ((string name, double[,] matrix) in Matrices(Path.Combine(folder, "adapter_model.safetensors")))
        {
            Match match = FactorName().Match(name);
            if (match.Success)
            {
                string module = "model." + match.Groups["path"].Value;
                (double[,]? A, double[,]? B) pair = factors.GetValueOrDefault(module);
                factors[module] = match.Groups["role"].Value == "A" ? (matrix, pair.B) : (pair.A, matrix);
            }
        }

        return factors.ToDictionary(
            entry => entry.Key, entry => Product(entry.Value.B!, entry.Value.A!, Scaling(config, entry.Key, entry.Value.A!.GetLength(0))), StringComparer.Ordinal);
    }

    private static double Scaling(JsonElement config, string module, int rank)
    {
        double alpha = Number(config, "lora_alpha") ?? 8;
        if (config.TryGetProperty("alpha_pattern", out JsonElement patterns) && patterns.ValueKind == JsonValueKind.Object)
        {
            // A Python dictionary: the place of a key's first member, the value of its last.
            foreach (JsonProperty pattern in patterns.EnumerateObject().GroupBy(member => member.Name, StringComparer.Ordinal).Select(group => group.Last()))
            {
                if (Regex.IsMatch(module, $@"\A(.*\.)?({pattern.Name})$", RegexOptions.None, TimeSpan.FromSeconds(1)))
                {
                    alpha = pattern.Value.GetDouble();
                    break;
                }
            }
        }

        bool root = config.TryGetProperty("use_rslora", out JsonElement flag) && flag.ValueKind == JsonValueKind.True;
        return alpha / (root ? Math.Sqrt(rank) : rank);
    }

    private static Dictionary<string, double[,]> Mlx(string folder)
    {
        JsonElement parameters = Json(Path.Combine(folder, "adapter_config.json")).GetProperty("lora_parameters");
        Dictionary<string, double[,]> matrices = Matrices(Path.Combine(folder, "adapters.safetensors"));
        double scale = parameters.GetProperty("scale").GetDouble();
        return matrices.Keys.Where(name => name.EndsWith(".lora_a", StringComparison.Ordinal)).Select(name => name[..^".lora_a".Length]).ToDictionary(
            module => module,
            module => Product(Transposed(matrices[module + ".lora_b"]), Transposed(matrices[module + ".lora_a"]), scale),
            StringComparer.Ordinal);
    }

    private static Dictionary<string, double[,]> Matrices(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        int start = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        using JsonDocument header = JsonDocument.Parse(bytes.AsMemory(8, start - 8));
        var matrices = new Dictionary<string, double[,]>(StringComparer.Ordinal);
        foreach (JsonProperty entry in header.RootElement.EnumerateObject().Where(entry => entry.Name != "__metadata__"))
        {
            int[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt32())];
            int begin = start + entry.Value.GetProperty("data_offsets")[0].GetInt32();
            if (shape.Length == 2)
            {
                matrices[entry.Name] = Matrix(bytes.AsSpan(begin), entry.Value.GetProperty("dtype").GetString()!, shape[0], shape[1]);
            }
        }

        return matrices;
    }

    private static double[,] Matrix(ReadOnlySpan<byte> bytes, string type, int rows, int columns)
    {
        var matrix = new double[rows, columns];
        for (int i = 0; i < rows * columns; i++)
        {
            matrix[i / columns, i % columns] = type switch
            {
                "F32" => BinaryPrimitives.ReadSingleLittleEndian(bytes[(4 * i)..]),
                "F64" => BinaryPrimitives.ReadDoubleLittleEndian(bytes[(8 * i)..]),
                "F16" => (double)BinaryPrimitives.ReadHalfLittleEndian(bytes[(2 * i)..]),
                "BF16" => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * i)..]) << 16),
                "F8_E4M3" => Eight(bytes[i], 3, 7),
                "F8_E5M2" => Eight(bytes[i], 2, 15),
                _ => throw new NotSupportedException(type),
            };
        }

        return matrix;
    }

    private static double Eight(byte bits, int mantissaBits, int bias)
    {
        int exponent = (bits & 0x7F) >> mantissaBits, mantissa = bits & ((1 << mantissaBits) - 1);
        double value = exponent == 0
            ? Math.ScaleB(mantissa, 1 - bias - mantissaBits)
            : Math.ScaleB(mantissa + (1 << mantissaBits), exponent - bias - mantissaBits);
        return (bits & 0x80) != 0 ? -value : value;
    }

    private static double[,] Transposed(double[,] matrix)
    {
        var result = new double[matrix.GetLength(1), matrix.GetLength(0)];
        for (int i = 0; i < result.GetLength(0); i++)
        {
            for (int j = 0; j < result.GetLength(1); j++)
            {
                result[i, j] = matrix[j, i];
            }
        }

        return result;
    }

    private static double[,] Product(double[,] b, double[,] a, double scale)
    {
        var result = new double[b.GetLength(0), a.GetLength(1)];
        for (int i = 0; i < result.GetLength(0); i++)
        {
            for (int j = 0; j < result.GetLength(1); j++)
            {
                double sum = 0;
                for (int k = 0; k < a.GetLength(0); k++)
                {
                    sum += b[i, k] * a[k, j];
                }

                result[i, j] = scale * sum;
            }
        }

        return result;
    }

    private static double? Number(JsonElement config, string name) =>
        config.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;

    private static JsonElement Json(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        using JsonDocument document = JsonDocument.Parse(bytes is [0xEF, 0xBB, 0xBF, ..] ? bytes.AsMemory(3) : bytes);
        return document.RootElement.Clone();
    }

    [GeneratedRegex(@"\A(module\.)?(base_model\.model\.)?(model\.)?(?<path>.+?)\.lora_(?<role>[AB])(\.[^.]+)?(\.weight)?\z", RegexOptions.ExplicitCapture)]
    private static partial Regex FactorName();
}
