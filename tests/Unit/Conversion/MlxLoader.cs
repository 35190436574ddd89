using System.Text.Json;
using Sway.Tensors;

namespace Sway.Unit.Conversion;

/// <summary>
/// A second way: reads a written adapter by mlx-lm's own rules (names, one rank and scale, keys; every tensor wanted, none
/// foreign) and multiplies the factors densely in float64.
/// </summary>
internal static class MlxLoader
{
    public static void ShouldEqual(string folder, GalleryCase truth)
    {
        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "adapter_config.json")));
        JsonElement parameters = config.RootElement.GetProperty("lora_parameters");
        int rank = parameters.GetProperty("rank").GetInt32();
        double scale = parameters.GetProperty("scale").GetDouble();
        string[] keys = [.. parameters.GetProperty("keys").EnumerateArray().Select(key => key.GetString()!)];
        int layers = config.RootElement.GetProperty("num_layers").GetInt32();
        layers.ShouldBeGreaterThan(0);
        using SafetensorsFile written = SafetensorsFile.Open(Path.Combine(folder, "adapters.safetensors"));
        using SafetensorsFile deltas = SafetensorsFile.Open(Path.Combine(truth.Folder, "expected_delta.safetensors"));
        JsonElement modules = truth.Expected.GetProperty("modules");
        string[] paths = [.. written.Tensors.Select(t => t.Name[..t.Name.LastIndexOf('.')]).Distinct()];
        paths.Order().ShouldBe(modules.EnumerateObject().Select(m => m.Name).Order());
        written.Tensors.ShouldAllBe(t => t.Name.EndsWith(".lora_a") || t.Name.EndsWith(".lora_b") || t.Name.EndsWith(".m"));
        foreach (JsonProperty module in modules.EnumerateObject())
        {
            keys.Any(key => key == module.Name || module.Name.EndsWith("." + key, StringComparison.Ordinal)).ShouldBeTrue($"keys reach {module.Name}");
            double[] want = deltas.Get(module.Value.GetProperty("delta").GetString()!).ToDoubleArray();
            double[] got = Delta(written, module, rank);
            got.Length.ShouldBe(want.Length);
            double size = want.Select(Math.Abs).DefaultIfEmpty().Max();
            double tolerance = truth.Expected.TryGetProperty("tolerance_abs", out JsonElement given) && given.ValueKind == JsonValueKind.Number ? given.GetDouble() : 0;
            double worst = got.Zip(want, (g, w) => Math.Abs((g * scale) - w)).DefaultIfEmpty().Max();
            worst.ShouldBeLessThanOrEqualTo(Math.Max(1e-6 * size, tolerance), module.Name);
            bool dora = module.Value.GetProperty("type").GetString() == "dora";
            (written.Find(module.Name + ".m") is not null).ShouldBe(dora);
            config.RootElement.GetProperty("fine_tune_type").GetString().ShouldBe(dora ? "dora" : "lora");
        }
    }

    private static double[] Delta(SafetensorsFile file, JsonProperty module, int rank)
    {
        TensorExpression a = file.Get(module.Name + ".lora_a"), b = file.Get(module.Name + ".lora_b");
        switch (module.Value.GetProperty("type").GetString())
        {
            case "switch":
                a.Shape[1].ShouldBe(rank);
                return [.. Enumerable.Range(0, (int)a.Shape[0]).SelectMany(e => Product(b.Index(0, e), a.Index(0, e)))];
            case "embedding":
                a.Shape[1].ShouldBe(rank);
                return Product(a, b);
            default:
                a.Shape[1].ShouldBe(rank);
                return Product(b.Transpose(), a.Transpose());
        }
    }

    private static double[] Product(TensorExpression left, TensorExpression right)
    {
        int rows = (int)left.Shape[0], inner = (int)left.Shape[1], columns = (int)right.Shape[1];
        double[] l = left.ToDoubleArray(), r = right.ToDoubleArray(), product = new double[rows * columns];
        for (int i = 0; i < rows; i++)
        {
            for (int k = 0; k < inner; k++)
            {
                for (int j = 0; j < columns; j++)
                {
                    product[(i * columns) + j] += l[(i * inner) + k] * r[(k * columns) + j];
                }
            }
        }

        return product;
    }
}
