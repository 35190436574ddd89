using Sway.Scoring;

namespace Sway.Unit.Scoring;

/// <summary>What would change numbers and is not known is an error that names it.</summary>
public sealed class RefusalTests
{
    [Theory]
    [InlineData("llama-gqa", "\"model_type\": \"llama\"", "\"model_type\": \"mamba\"", "mamba")]
    [InlineData("llama-gqa", "\"rope_type\": \"default\"", "\"rope_type\": \"spiral\"", "spiral")]
    [InlineData("llama-gqa", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"quick_gelu\"", "quick_gelu")]
    [InlineData("llama-mlx-4bit-gs32", "\"mode\": \"affine\"", "\"mode\": \"mxfp4\"", "mxfp4")]
    [InlineData("llama-mlx-4bit-gs32", "\"bits\": 4", "\"bits\": 3", "3 bits")]
    [InlineData("llama-mlx-4bit-gs32", "\"group_size\": 32", "\"group_size\": 48", "groups of 48")]
    [InlineData("llama-mlx-4bit-gs32", "\"mode\": \"affine\"", "\"quant_method\": \"gptq\", \"mode\": \"affine\"", "quant")]
    public void It_is_refused_by_name(string model, string known, string unknown, string named)
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            foreach (string file in Directory.GetFiles(Golden.Folder(model), "*.safetensors*"))
            {
                File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            }

            string config = File.ReadAllText(Path.Combine(Golden.Folder(model), "config.json"));
            string changed = config.Replace(known, unknown, StringComparison.Ordinal);
            if (unknown.Contains("quant_method", StringComparison.Ordinal))
            {
                // mlx's own entry is left out: only then the other one counts.
                changed = changed.Replace("\"quantization\"", "\"unused\"", StringComparison.Ordinal);
            }

            changed.ShouldNotBe(config);
            File.WriteAllText(Path.Combine(folder, "config.json"), changed);
            Should.Throw<UnsupportedModelException>(() => ScoringSession.Open(folder)).Message.ShouldContain(named);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
