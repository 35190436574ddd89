using Sway.Architectures;
using Sway.Conversion;
using Sway.Unit.Conversion;
using Sway.Unit.Support;

namespace Sway.Unit.Architectures;

/// <summary>What a base model's configuration may say.</summary>
public sealed class BaseModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("num_hidden_layers", "65537")]
    [InlineData("num_hidden_layers", "-1")]
    [InlineData("n_layer", "-2147483648")]
    [InlineData("num_local_experts", "1912739135")]
    [InlineData("n_routed_experts", "-1")]
    public void A_number_of_layers_or_experts_that_no_model_has_is_an_error_with_its_name(string field, string value)
    {
        File.WriteAllText(_folder.File("config.json"), $$"""{ "model_type": "mixtral", "{{field}}": {{value}} }""");
        ModelFormatException error = Should.Throw<ModelFormatException>(() => BaseModel.Open(_folder.Path));
        error.Message.ShouldContain($"\"{field}\" is {value}");
        error.Path.ShouldBe(_folder.File("config.json"));
    }

    [Fact]
    public void The_first_number_that_is_there_counts()
    {
        File.WriteAllText(_folder.File("config.json"), """{ "model_type": "mixtral", "n_layer": 3, "num_experts": null, "num_local_experts": 0, "num_moe_experts": 5 }""");
        using BaseModel model = BaseModel.Open(_folder.Path);
        model.LayerCount.ShouldBe(3);
        model.ExpertCount.ShouldBe(0);
    }

    [Fact]
    public void An_adapter_of_experts_does_not_wait_for_a_base_of_billions()
    {
        GalleryCase item = GalleryCase.Open("names/lin4-mixtral-partial-ranks");
        string text = File.ReadAllText(Path.Combine(item.Base, "config.json"));
        File.WriteAllText(_folder.File("config.json"), text.Replace("\"num_local_experts\": ", "\"num_local_experts\": 191273913", StringComparison.Ordinal));
        Should.Throw<ModelFormatException>(() => AdapterConverter.Convert(
            item.Source, _folder.File("out"), new ConversionOptions { BaseModel = _folder.Path }, cancellationToken: TestContext.Current.CancellationToken));
        Directory.Exists(_folder.File("out")).ShouldBeFalse();
    }
}
