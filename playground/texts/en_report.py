"""English: the report of a comparison."""

TEXTS = {
    "report_title": "Models compared",
    "report_one": "{models} models on {picture}",
    "report_many": "{models} models on {pictures} pictures",
    "report_made": "Made with vit-playground {version}.",
    "report_models": "Models",
    "report_models_more": (
        "Click a heading to sort. Time is the median of several plain forward passes after warming up, memory the "
        "weights and the most that a pass holds besides, both measured on {device} as this report was made. "
        "Multiply-adds are counted for the size that the model saw."
    ),
    "report_unmeasured": "Click a heading to sort. Multiply-adds are counted for the size that the model saw.",
    "report_download": "Download as CSV",
    "report_model": "Model",
    "report_answer": "Best answer",
    "report_answered": "Answered",
    "report_size": "Sees (px)",
    "report_parameters": "Parameters",
    "report_macs": "Multiply-adds",
    "report_latency": "Time (ms)",
    "report_runs": "Runs",
    "report_memory": "Peak memory (MB)",
    "report_measured": "Measured on the same photos",
    "report_published": "Published",
    "report_licence": "Licence",
    "report_untrained": "untrained: random weights, whose answers mean nothing",
    "report_object": "1 object: {names}",
    "report_objects": "{count} objects: {names}",
    "report_no_objects": "nothing found at {least} or more",
    "report_features": "features only",
    "report_unsure": "not sure",
    "report_answers": "Answers",
    "report_bars_alt": "{title}: {said}",
    "report_boxes_alt": "{title}: the picture with {count} boxes: {said}",
    "report_regions": "Regions by their share of the picture",
    "report_maps": "One place, all models",
    "report_maps_more": (
        "{method} from {place}. One colour scale for all maps (square root): from {low} to {high} {unit}. "
        "The outline is where each map starts; rows and columns are counted from 0."
    ),
    "report_maps_point": "the point {x:.0f}, {y:.0f}",
    "report_maps_box": "the box {x0:.0f}, {y0:.0f} to {x1:.0f}, {y1:.0f}",
    "report_map_alt": "{title}: where it looks from {start}",
    "report_agreement": "Where they agree",
    "report_agreement_more": (
        "1 is the same answer, 0 nothing in common. Classes: 1 - Jensen-Shannon divergence over the classes that both "
        "know; boxes: F1 of those with one label that overlap by half or more, counted from each model’s own least "
        "score."
    ),
    "report_pair": "Models",
    "report_value": "Agreement",
    "report_both": "Both",
    "report_only": "Only {title}",
    "report_nothing": "nothing",
    "report_ranking": "Where they disagree most",
    "report_ranking_more": "All pictures by the most that any two models disagree, 0 to 1; click a heading to sort.",
    "report_picture": "Picture",
    "report_disagreement": "Disagreement",
    "report_between": "Between",
    "report_unreadable": "Files that could not be read",
    "report_file": "File",
    "report_why": "Why",
}
