@{
    RootModule           = 'bin/Sway.PowerShell.dll'
    ModuleVersion        = '0.1.0'
    GUID                 = '6f0c1a52-2f0e-4c0b-9d65-3b1f6a8f2d17'
    Author               = 'The Sway authors'
    CompanyName          = 'The Sway authors'
    Copyright            = '(c) The Sway authors. MIT licence.'
    Description          = 'Makes LoRA adapters safe to move and easy to judge: converts PEFT adapters to mlx-lm exactly or not at all, inspects, repairs and measures them. No Python.'
    PowerShellVersion    = '7.6'
    CompatiblePSEditions = @('Core')
    CmdletsToExport      = @(
        'Clear-SwayCache'
        'Compare-LoraAdapter'
        'ConvertFrom-Token'
        'ConvertTo-MlxAdapter'
        'ConvertTo-PeftAdapter'
        'ConvertTo-Token'
        'Get-AdapterNextToken'
        'Get-LoraAdapterInfo'
        'Get-SwayBackend'
        'Get-SwayCache'
        'Get-SwaySession'
        'Invoke-AdapterGeneration'
        'Measure-AdapterDivergence'
        'Measure-AdapterLogprob'
        'Measure-AdapterPerplexity'
        'Merge-LoraAdapter'
        'New-SwaySession'
        'Remove-SwaySession'
        'Repair-MlxAdapter'
        'Test-LoraAdapter'
    )
    FunctionsToExport    = @()
    VariablesToExport    = @()
    AliasesToExport      = @()
    FormatsToProcess     = @('Sway.Format.ps1xml', 'Sway.Measuring.Format.ps1xml')
    PrivateData          = @{
        PSData = @{
            Tags         = @('PSEdition_Core', 'Linux', 'MacOS', 'Windows', 'LoRA', 'MLX', 'PEFT', 'LLM')
            ReleaseNotes = 'See CHANGELOG.md'
        }
    }
}
